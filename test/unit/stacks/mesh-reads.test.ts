import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IstioControlPlane, RemoteSecret } from "../../../components/index.ts";
import { unreadNow, waitForReads } from "../../../fleet/remote-reads.ts";
import { MeshReads } from "../../../stacks/mesh-reads.ts";
import type { ReleasePlan } from "../../../stacks/release-plan.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/remote-reads.ts"), () => ({
  waitForReads: vi.fn<typeof waitForReads>(),
  unreadNow: vi.fn<typeof unreadNow>(),
}));
vi.mock(import("@pulumi/pulumi"), async (original) => ({
  ...(await original()),
  // The real one needs an engine.
  ResourceHook: class {
    readonly callback: () => void;
    constructor(_: string, callback: () => void) {
      this.callback = callback;
    }
  } as unknown as typeof pulumi.ResourceHook,
}));

const LINE = "istiod of cluster-a (istiod-1) does not read cluster-b: it says timeout.";
const plan = (falls: boolean) =>
  ({ routes: [{ falls }, { falls: false }] }) as unknown as ReleasePlan;

beforeEach(() => {
  vi.mocked(waitForReads).mockResolvedValue([LINE]);
  vi.mocked(unreadNow).mockResolvedValue([LINE]);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.clearAllMocks();
});

interface Situation {
  readonly services?: number;
  readonly falls?: boolean;
  /** The component one of whose resources has changed. @default nothing has */
  readonly changed?: object;
}

/** What the check at the end of such an update comes to. */
async function ended({ services = 1, falls = false, changed }: Situation) {
  const reads = new MeshReads(
    { ...settings(), services: settings().services.slice(0, services) },
    plan(falls),
  );
  if (changed) {
    const opts = { parent: Object.create(changed) as pulumi.Resource };
    // As it is while its constructor runs.
    const resource = Object.create(pulumi.CustomResource.prototype) as pulumi.Resource;
    const made = { resource, type: "", name: "", props: {}, opts };
    const hooks = reads.watch(made)?.opts.hooks?.afterUpdate as
      { callback: () => void }[] | undefined;
    for (const { callback } of hooks ?? []) callback();
  }
  return new Promise<string>((resolve) => {
    pulumi
      .recover(reads.before("the output", true), (error: Error) => error.message)
      .apply(resolve);
  });
}

describe("the end of an update", () => {
  it.each([
    ["a stack with a mesh alone", { services: 0 }],
    ["a change of a remote secret", { changed: RemoteSecret.prototype }],
    ["a change of istiod", { changed: IstioControlPlane.prototype }],
    ["another token while a weight falls", { falls: true, changed: RemoteSecret.prototype }],
  ])("waits and fails with the names, with %s", async (_, situation) => {
    expect(await ended(situation)).toBe(
      [
        "Not every istiod reads every other cluster, so clients there do not find its pods, and no weight rises:",
        ` - ${LINE}`,
        "All else of this update is done. Mend it, then run pulumi up again; it waits 2m (key mesh.syncWithin).",
      ].join("\n"),
    );
    expect(waitForReads).toHaveBeenCalledWith(
      [
        expect.objectContaining({ name: "cluster-a" }),
        expect.objectContaining({ name: "cluster-b" }),
      ],
      { withinMs: 120_000, holdsMs: "changed" in situation ? 2_000 : 0 },
    );
  });

  it("gives what it holds back once all is well", async () => {
    vi.mocked(waitForReads).mockResolvedValue([]);
    expect(await ended({ services: 0 })).toBe("the output");
  });

  it("only warns where nothing of the mesh has changed beside services, without a wait", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    expect(await ended({ changed: Object.prototype })).toBe("the output");
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(` - ${LINE}`));
    expect(waitForReads).not.toHaveBeenCalled();
  });

  it("asks nobody where a weight falls and nothing of the mesh has changed", async () => {
    expect(await ended({ falls: true, changed: Object.prototype })).toBe("the output");
    expect(waitForReads).not.toHaveBeenCalled();
    expect(unreadNow).not.toHaveBeenCalled();
  });
});
