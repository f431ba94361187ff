import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ZeroedCluster } from "../../../../fleet/to-zero.ts";
import { JOURNAL, JOURNAL_FORMAT } from "../../../../lib/journal.ts";
import { zero, type ZeroOptions } from "../../../../release/commands/zero.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../../helpers/fake-api-server.ts";

const ROOT = path.join(import.meta.dirname, "../../../..");
const route = canaryAt(30, {
  matches: [{ header: { "x-tester": "yes" } }],
  mirrorPercent: 5,
  contexts: ["ctx-a", "ctx-b"],
});

let dir: string;
let a: FakeApiServer;
let b: FakeApiServer;
let printed: string[];
let complained: string[];

async function kubeconfig(servers: Readonly<Record<string, string>>): Promise<string> {
  const file = path.join(dir, "kubeconfig");
  await writeFile(file, kubeconfigText(servers));
  return file;
}
const run = async (options: ZeroOptions = {}) =>
  zero({
    kubeconfig: await kubeconfig({ "ctx-a": a.url, "ctx-b": b.url }),
    withinMs: 10_000,
    ...options,
  });
const result = () => JSON.parse(printed[0] ?? "[]") as readonly ZeroedCluster[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "zero-"));
  [a, b] = [await FakeApiServer.start(route), await FakeApiServer.start(route)];
  [printed, complained] = [[], []];
  vi.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
  vi.spyOn(console, "error").mockImplementation((text: string) => complained.push(text));
  process.exitCode = undefined;
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  a.stop();
  b.stop();
  await rm(dir, { recursive: true });
});

describe("release zero", () => {
  it("notes what it has lowered, so that no update raises it beside a cluster that was away", async () => {
    const [up, away] = [a.url, b.url];
    b.stop();
    await run({ kubeconfig: await kubeconfig({ "ctx-a": up, "ctx-b": away }), withinMs: 500 });
    const { "zero-user-service": note = "{}" } = a.configMaps.get(`user/${JOURNAL}`) ?? {};
    expect(JSON.parse(note)).toEqual({
      ...{ format: JOURNAL_FORMAT, key: "user/user-service", canary: "v2" },
      at: expect.any(Number) as number,
    });
  });

  it("notes nothing where there is nothing to lower", async () => {
    await run();
    a.configMaps.clear();
    await run();
    expect(a.configMaps.size).toBe(0);
  });

  it("lowers all the same where it cannot note it, and says what follows", async () => {
    a.refusesNotes = "you may not";
    await run();
    expect([a.weight(), b.weight()]).toEqual([0, 0]);
    expect(complained).toEqual([
      "ctx-a: that v2 of user/user-service was lowered could not be noted (you may not): set weight to 0 in the config before the next pulumi up.",
    ]);
    expect(process.exitCode).toBeUndefined();
  });

  it("lowers every canary in all recorded contexts, and confirms it in API servers and Envoys", async () => {
    await run({ json: true });
    expect([a.weight(), b.weight()]).toEqual([0, 0]);
    const canaries = [{ key: "user/user-service", canary: "v2", before: 30, weight: 0, envoys: 1 }];
    expect(result()).toEqual([
      { name: "ctx-a", canaries },
      { name: "ctx-b", canaries },
    ]);
    expect(process.exitCode).toBeUndefined();
  });

  it("leaves what testers and mirrored requests have", async () => {
    const before = a.http();
    await run();
    const weights = JSON.stringify(before)
      .replace('"weight":70', '"weight":100')
      .replace('"weight":30', '"weight":0');
    expect(a.http()).toEqual(JSON.parse(weights));
    expect(JSON.stringify(a.http())).toContain("mirrorPercentage");
    expect(printed[0]).toMatch(
      /ctx-b .* user\/user-service .* v2 .* 30 % .* 0 % .* 1 serve 0 % .* confirmed/,
    );
  });

  it("lowers all others at once while one cluster is cut off, and names it", async () => {
    b.stop();
    const file = await kubeconfig({ "ctx-a": a.url, "ctx-b": b.url });
    const running = zero({ kubeconfig: file, withinMs: 1_000, json: true });
    await vi.waitFor(() => {
      expect(a.weight()).toBe(0);
    }, 900);
    await running;
    expect(result().map(({ name, problem }) => [name, problem])).toEqual([
      ["ctx-a", undefined],
      ["ctx-b", expect.stringContaining("ECONNREFUSED")],
    ]);
    expect(process.exitCode).toBe(3);
    expect(complained.at(-1)).toMatch(/^Not confirmed at 0 %: ctx-b\n - ctx-b: .*ECONNREFUSED/);
  });

  it("tries again until a cluster takes the weight", async () => {
    let refusals = 2;
    b.refuse = () => (refusals-- > 0 ? "istiod is away" : undefined);
    await run();
    expect([a.weight(), b.weight(), refusals]).toEqual([0, 0, -1]);
    expect(complained).toEqual(["ctx-b: not yet: istiod is away"]);
    expect(process.exitCode).toBeUndefined();
  });

  it("names a cluster that refuses, one whose Envoy does not follow, and one that the kubeconfig does not have", async () => {
    a.refuse = () => "denied";
    b.envoy = 30;
    const within = { withinMs: 300, confirmWithinMs: 3_000 };
    await run({ ...within, json: true, context: ["ctx-a", "ctx-b", "ctx-c"] });
    expect(result().map(({ problem }) => problem)).toEqual([
      "denied",
      expect.stringContaining("user/client serves 30 %"),
      "the kubeconfig has no context ctx-c; it has ctx-a, ctx-b",
    ]);
    expect(result().map(({ canaries }) => canaries[0]?.weight)).toEqual([30, 0, undefined]);
    expect(process.exitCode).toBe(3);
  });

  it("does not report what somebody has raised again meanwhile", async () => {
    let raises = 1;
    // The Envoy is asked between the two reads.
    Object.defineProperty(a, "envoy", {
      get: () => {
        if (raises-- > 0) a.put(route);
        return 0;
      },
    });
    await run({ json: true });
    expect(complained).toEqual([
      "ctx-a: not yet: v2 of user/user-service has 30 % again: somebody else has raised it",
    ]);
    expect(a.weight()).toBe(0);
    expect(result()[0]?.canaries[0]?.weight).toBe(0);
  });

  it("keeps to the services and contexts that it is given, and to what this program has written", async () => {
    const other = { ...route, service: "other" };
    a.put(other);
    await run({ context: ["ctx-a"], service: ["user/other"] });
    expect([a.weight("user/other"), a.weight(), b.weight()]).toEqual([0, 30, 30]);
    await run({ context: ["ctx-b"], service: ["user/absent"], withinMs: 10 });
    expect(process.exitCode).toBe(3);
    expect(complained.at(-1)).toContain("it has no VirtualService of this program for user/absent");
  });

  it("leaves the followers of a chain to their entries", async () => {
    const mark = { header: "x-canary", baggage: undefined, testers: [] };
    const members = ["user/user-service", "user/follower"];
    const chain = (role: "entry" | "follower") => ({ chain: { role, mark, members } });
    a.put({ ...route, ...chain("entry") });
    a.put({ ...route, service: "follower", ...chain("follower") });
    await run({ json: true });
    expect(result()[0]?.canaries.map(({ key }) => key)).toEqual(["user/user-service"]);
    expect(a.weight()).toBe(0);
    const written = a.requests.filter((each) => /^PATCH .*virtualservices/.test(each));
    expect(written).toHaveLength(1);
  });

  it("says what is missing where nobody has recorded the contexts", async () => {
    a.put({ ...route, contexts: undefined });
    await expect(run()).rejects.toThrow(
      "Cannot tell which clusters to lower: no VirtualService in the current context ctx-a lists the clusters of its release. " +
        "Name one context per cluster: --context A --context B. The kubeconfig has ctx-a, ctx-b.",
    );
    a.stop();
    await expect(run()).rejects.toThrow("the current context ctx-a cannot be read");
    expect(b.weight()).toBe(30);
  });

  it("says that there is no canary rather than that all is well", async () => {
    const without = { ...route, canary: undefined, weight: 0 };
    a.put(without);
    b.put(without);
    await expect(run({ context: ["ctx-a", "ctx-b"] })).rejects.toThrow(
      "There is no canary of this program in ctx-a, ctx-b, so nothing was changed.",
    );
  });
});

/** Files of the repository and packages that a file loads before it runs. */
function loads(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const source = readFileSync(file, "utf8");
  for (const [, from = ""] of source.matchAll(
    /^(?:import|export) (?!type )[^;]*?from "([^"]+)"|^import "([^"]+)"/gm,
  )) {
    if (from.startsWith(".")) loads(path.resolve(path.dirname(file), from), seen);
    else seen.add(from);
  }
  return seen;
}

describe("what release zero needs", () => {
  it.each(["cli.ts", "commands/zero.ts"])("is no Pulumi: release/%s loads none", (file) => {
    const all = [...loads(path.join(ROOT, "release", file))];
    expect(all.filter((each) => each.startsWith("@pulumi/"))).toEqual([]);
    // Or the walk would be too short to see anything.
    expect(all).toContain(file === "cli.ts" ? "commander" : "@kubernetes/client-node");
  });

  it("is a kubeconfig alone: no CLI, no backend, no config file", async () => {
    const file = await kubeconfig({ "ctx-a": a.url, "ctx-b": b.url });
    expect(existsSync(path.join(dir, "Pulumi.yaml"))).toBe(false);
    const { stdout, exitCode, stderr } = await execa(
      process.execPath,
      [path.join(ROOT, "release/cli.ts"), "zero", "--kubeconfig", file],
      { cwd: dir, env: { PATH: dir, HOME: dir }, extendEnv: false, reject: false },
    );
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/ctx-b .* confirmed/);
    expect([a.weight(), b.weight()]).toEqual([0, 0]);
  });
});
