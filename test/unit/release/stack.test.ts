import { LocalWorkspace, type ConfigMap, type Stack } from "@pulumi/pulumi/automation/index.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isStale, ReleaseStack } from "../../../release/stack.ts";
import { CHAIN } from "../../helpers/chain.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const locks = (...by: string[]) =>
  [
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
    ...by.map((who) => `  file:///state/lock.json: created by ${who} at 2026-11-24T13:00:00Z`),
  ].join("\n");

describe("a lock", () => {
  it.each([
    ["of a process of this machine that is no more", locks("me@here (pid 7)"), true],
    ["of a process that lives", locks("me@here (pid 1)"), false],
    ["of another machine, of whose processes nothing is known", locks("me@there (pid 7)"), false],
    ["beside one that is in use", locks("me@here (pid 7)", "me@here (pid 1)"), false],
    ["that does not say whose it is", locks(), false],
  ])("%s: stale is $2", (_, message, stale) => {
    expect(isStale(message, "here", (pid) => pid === 1)).toBe(stale);
  });
});

describe("a stack's release", () => {
  const { kubeconfig, ...structured } = rawConfig(CHAIN);
  const values: Readonly<Record<string, string>> = {
    kubeconfig,
    ...Object.fromEntries(
      Object.entries(structured).map(([key, value]) => [key, JSON.stringify(value)]),
    ),
  };
  /** The stack's config file. */
  let file: ConfigMap;

  async function open(more: Partial<Stack> = {}) {
    file = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [`istio-canary:${key}`, { value }]),
    );
    vi.spyOn(LocalWorkspace, "selectStack").mockResolvedValue({
      name: "prod",
      workspace: { projectSettings: () => Promise.resolve({ name: "istio-canary" }) },
      getAllConfig: () => Promise.resolve({ ...file }),
      setAllConfigJson: (json: string) => {
        file = { ...file, ...(JSON.parse(json) as ConfigMap) };
        return Promise.resolve();
      },
      removeAllConfig: (keys: readonly string[]) => {
        file = Object.fromEntries(Object.entries(file).filter(([key]) => !keys.includes(key)));
        return Promise.resolve();
      },
      ...more,
    } as unknown as Awaited<ReturnType<typeof LocalWorkspace.selectStack>>);
    return ReleaseStack.open("prod");
  }
  const entriesIn = (found: ReturnType<ReleaseStack["settings"]>) =>
    "settings" in found ? (found.settings.chain?.entries ?? "no chain") : found.problems;

  afterEach(() => vi.restoreAllMocks());

  it("says of an update that has failed what the engine has reported as its error", async () => {
    const up = vi.fn<Stack["up"]>((options) => {
      const event = { message: "pods are not ready\n", color: "never", severity: "error" } as const;
      options?.onEvent?.({ sequence: 1, timestamp: 0, diagnosticEvent: event });
      return Promise.reject(new Error("code: 255\n stdout: Updating (prod):"));
    });
    const stack = await open({ up });
    await expect(stack.up("release: 30 %", () => undefined)).rejects.toThrow(
      /^pods are not ready$/,
    );
    expect(up).toHaveBeenCalledOnce();
  });

  it("is read with its chain, and without it where an earlier one had none", async () => {
    const stack = await open();
    const { chain, ...without } = stack.release;
    expect(chain).toBe(values["chain"]);
    expect(entriesIn(stack.settings(stack.release))).toEqual(["user/user-service"]);
    expect(entriesIn(stack.settings(without))).toBe("no chain");
  });

  it("is written so that the chain goes and comes with it, and all else stays", async () => {
    const stack = await open();
    const before = stack.release;
    const { chain, ...without } = before;
    await stack.configure({ ...without, weight: "0" });
    expect(file["istio-canary:chain"]).toBeUndefined();
    expect(file["istio-canary:weight"]?.value).toBe("0");
    expect(file["istio-canary:mesh"]?.value).toBe(values["mesh"]);
    expect(stack.release).toEqual({ ...without, weight: "0" });
    await stack.configure(before);
    expect(file["istio-canary:chain"]?.value).toBe(chain);
    expect(stack.release).toEqual(before);
  });
});
