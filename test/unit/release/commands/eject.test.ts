import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadAll } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from "vitest";
import { canaryRouteObjects } from "../../../../components/canary-route.ts";
import { ClusterClient } from "../../../../fleet/cluster-client.ts";
import { JOURNAL } from "../../../../lib/journal.ts";
import { clustersOf } from "../../../../release/clusters.ts";
import { eject, type EjectOptions } from "../../../../release/commands/eject.ts";
import { parseState, type StackState } from "../../../../release/eject/state.ts";
import { Lease } from "../../../../release/lease.ts";
import { ReleaseStack } from "../../../../release/stack.ts";
import { LeaseHeld } from "../../../../release/try-again.ts";
import { parseConfig, type ReleaseSettings } from "../../../../stacks/config.ts";
import { existingConfig, existingService, existingSettings } from "../../../helpers/existing.ts";
import { FakeApiServer, kubeconfigText } from "../../../helpers/fake-api-server.ts";

vi.mock(import("../../../../release/clusters.ts"), async (original) => ({
  ...(await original()),
  clustersOf: vi.fn<typeof clustersOf>(),
}));

const CLUSTERS = ["cluster-a", "cluster-b"];
const ISTIO = "networking.istio.io/v1";

let dir: string;
let servers: readonly FakeApiServer[];
let printed: string[];
let settings: ReleaseSettings;
let state: StackState;
let imported: StackState[];
let configured: Record<string, string>[];
let stack: Record<string, unknown>;
let take: MockInstance<Lease["take"]>;

/** A stack's state with the route of the service in each cluster, and a provider. */
function routed(): StackState {
  const urn = (type: string, name: string) => `urn:pulumi:prod::istio-canary::${type}::${name}`;
  const COMPONENT = "istio-canary:mesh:CanaryRoute";
  return parseState(
    JSON.stringify({
      version: 3,
      deployment: {
        resources: [
          { urn: urn("pulumi:providers:kubernetes", "p"), type: "pulumi:providers:kubernetes" },
          ...CLUSTERS.flatMap((cluster) => {
            const name = `user-service.user-route-${cluster}`;
            const parent = urn(COMPONENT, name);
            return [
              { urn: parent, type: COMPONENT },
              ...["VirtualService", "DestinationRule"].map((kind) => ({
                urn: urn(`kubernetes:${ISTIO}:${kind}`, `${name}-${kind}`),
                type: `kubernetes:${ISTIO}:${kind}`,
                ...{ custom: true, parent },
                inputs: {
                  ...{ apiVersion: ISTIO, kind },
                  metadata: { name: "user-service", namespace: "user" },
                },
              })),
            ];
          }),
        ],
      },
    }),
  );
}

/** Has the clusters route the service so. */
function routes(weight: number): void {
  const { weights, versions } = canaryRouteObjects({
    ...{ service: "user-service", namespace: "user", stable: "v1", canary: "v2", weight },
    existing: { port: 80, versionLabel: "version", serviceAccounts: ["user-service"] },
  });
  for (const { others } of servers) {
    others.all.length = 0;
    others.add(weights, versions);
  }
}
const live = (i: number, kind = "VirtualService") => servers[i]?.others.get(kind, "user-service");
const marks = (i: number) => JSON.stringify(live(i)?.metadata);

async function run(options: Partial<EjectOptions> = {}): Promise<string> {
  printed = [];
  await eject({ stack: "prod", out: path.join(dir, "out"), ...options });
  return printed.join("\n");
}

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "eject-"));
  servers = await Promise.all(CLUSTERS.map(() => FakeApiServer.start()));
  const [a, b] = servers;
  const kubeconfig = path.join(dir, "kubeconfig");
  await writeFile(
    kubeconfig,
    kubeconfigText({ "cluster-a": a?.url ?? "", "cluster-b": b?.url ?? "" }),
  );
  settings = existingSettings();
  vi.mocked(clustersOf).mockReturnValue(
    CLUSTERS.map((name) => new ClusterClient({ name, context: name, kubeconfig })),
  );
  [state, imported, configured] = [routed(), [], []];
  routes(0);
  const release = { services: JSON.stringify([existingService]), weight: "0" };
  stack = {
    ...{ name: "prod", shortName: "prod", release },
    settings: () => ({ settings }),
    exportState: () => Promise.resolve(state),
    importState: (next: StackState) => Promise.resolve(imported.push(next)),
    configure: (next: Record<string, string>) => Promise.resolve(configured.push(next)),
  };
  vi.spyOn(ReleaseStack, "open").mockImplementation(() =>
    Promise.resolve(stack as unknown as ReleaseStack),
  );
  take = vi.spyOn(Lease.prototype, "take").mockResolvedValue();
  vi.spyOn(Lease.prototype, "release").mockResolvedValue();
  vi.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of servers) server.stop();
  await rm(dir, { recursive: true });
});

describe("release eject", () => {
  it("leaves the rules as they are, without the program's marks, and forgets them", async () => {
    const before = CLUSTERS.map((_, i) => live(i)?.["spec"]);
    const text = await run();
    expect(CLUSTERS.map((_, i) => live(i)?.["spec"])).toEqual(before);
    for (const i of [0, 1]) {
      expect(marks(i)).not.toMatch(/istio-canary|pulumi/);
      expect(live(i)?.metadata?.managedFields).toEqual([]);
    }
    expect(imported.map(({ deployment }) => deployment.resources?.length)).toEqual([1]);
    expect(configured).toEqual([{ services: "[]", weight: "0" }]);
    expect(text).toContain("Handed back: user/user-service. Requests go where they went");
    for (const [i, cluster] of CLUSTERS.entries()) {
      const file = path.join(dir, "out", cluster, "user.user-service.yaml");
      const documents = loadAll(await readFile(file, "utf8")).filter(Boolean);
      expect(documents).toEqual([
        expect.objectContaining({ kind: "DestinationRule" }),
        {
          ...{ apiVersion: ISTIO, kind: "VirtualService", spec: before[i] },
          metadata: { name: "user-service", namespace: "user" },
        },
      ]);
    }
  });

  it("is noted, so that no update asks for what is handed back", async () => {
    const note = { format: 1, at: 1, weight: 0, canaries: { "user/user-service": "v2" } };
    for (const { others } of servers) {
      others.add({
        ...{ apiVersion: "v1", kind: "ConfigMap" },
        metadata: { name: JOURNAL, namespace: "user" },
        ...{ data: { "configured-prod": JSON.stringify(note) } },
      });
    }
    await run();
    for (const { others } of servers) {
      const data = others.get("ConfigMap", JOURNAL)?.["data"] as Record<string, string>;
      expect(JSON.parse(data["configured-prod"] ?? "")).toMatchObject({ canaries: {} });
    }
  });

  describe("of a service that shares the gateway with others", () => {
    const hosts = ["user-service.example.com"];
    const api = [{ prefix: "/api" }];
    /** Hands user-service back, and leaves another service in the stack. */
    const left = async (
      own: Readonly<Record<string, unknown>>,
      other: Readonly<Record<string, unknown>>,
    ): Promise<unknown> => {
      const services = [
        { ...existingService, ...own },
        { ...existingService, name: "web", ...other },
      ];
      const parsed = parseConfig({ ...existingConfig(), services });
      if (!parsed.settings) throw new Error(JSON.stringify(parsed.problems));
      settings = parsed.settings;
      stack["release"] = { services: JSON.stringify(services), weight: "0" };
      await run({ service: ["user/user-service"] });
      return JSON.parse(configured[0]?.["services"] ?? "");
    };
    const web = { ...existingService, name: "web" };

    it("leaves its paths to it: no rule for testers of the others is for them", async () => {
      const paths = { ingressHosts: hosts, ingressPaths: api };
      expect(await left(paths, { ingressHosts: hosts })).toEqual([
        { ...web, ingressHosts: hosts, ingressPathsOfOthers: api },
      ]);
    });

    it("adds them to those that are others' already", async () => {
      const paths = { ingressHosts: hosts, ingressPaths: api };
      const others = { ingressHosts: hosts, ingressPathsOfOthers: [{ exact: "/old" }] };
      expect(await left(paths, others)).toEqual([
        { ...web, ingressHosts: hosts, ingressPathsOfOthers: [...api, { exact: "/old" }] },
      ]);
    });

    it("says nothing more of a service that names its paths", async () => {
      const other = { ingressHosts: hosts, ingressPaths: [{ prefix: "/web" }] };
      const all = { ingressHosts: hosts, ingressPathsOfOthers: [{ prefix: "/web" }] };
      expect(await left(all, other)).toEqual([{ ...web, ...other }]);
    });

    it("leads none of its hosts to the one service that is left", async () => {
      expect(await left({ ingressHosts: hosts }, {})).toEqual([{ ...web, ingressHosts: [] }]);
    });

    it("leaves the config alone where no host leads to it", async () => {
      expect(await left({}, { ingressHosts: hosts })).toEqual([{ ...web, ingressHosts: hosts }]);
    });
  });

  it("writes no Secret into a file", async () => {
    const [component = { urn: "", type: "" }] = state.deployment.resources?.slice(1, 2) ?? [];
    const metadata = { name: "user-service-v1-0123456789abcdef", namespace: "user" };
    state.deployment.resources?.push({
      ...{ urn: "urn:pulumi:prod::istio-canary::kubernetes:core/v1:Secret::s", custom: true },
      ...{ type: "kubernetes:core/v1:Secret", parent: component.urn },
      inputs: { apiVersion: "v1", kind: "Secret", metadata },
    });
    servers[0]?.others.add({
      ...{ apiVersion: "v1", kind: "Secret", metadata: { ...metadata } },
      ...{ data: { PASSWORD: Buffer.from("hunter2").toString("base64") } },
    });
    await run();
    const text = await readFile(
      path.join(dir, "out", "cluster-a", "user.user-service.yaml"),
      "utf8",
    );
    expect(text.split("---\n")[0]).toBe(
      "# What routes user/user-service in cluster-a, as it was handed back.\n# Secret user-service-v1-0123456789abcdef stays as it is, and is not written here.\n",
    );
    expect(text).not.toMatch(/PASSWORD|aHVudGVyMg/);
    expect(printed.join()).not.toContain("hunter2");
  });

  it("does nothing where there is nothing to hand back", async () => {
    expect(await run({ service: ["user/other"] })).toBe(
      "Stack prod has no user/other: nothing to hand back.",
    );
    expect(imported).toEqual([]);
  });

  it("completes what was interrupted before the config was written", async () => {
    state = parseState(JSON.stringify({ deployment: { resources: [] } }));
    await run();
    expect(configured).toEqual([{ services: "[]", weight: "0" }]);
  });

  it("only says what it would do, if it is asked to", async () => {
    expect(await run({ dryRun: true })).toContain(
      " - VirtualService user/user-service in cluster-b",
    );
    expect([imported, configured]).toEqual([[], []]);
    expect(marks(0)).toContain("istio-canary/workload");
  });

  it("is refused while a canary has a part of the requests, unless it may keep it", async () => {
    routes(30);
    await expect(run()).rejects.toThrow(
      "Nothing was handed back:\n - user/user-service in cluster-a: v2 has 30 %: set weight to 0 or 100 first, or pass --keep-split\n - user/user-service in cluster-b: v2 has 30 %",
    );
    expect(marks(0)).toContain("istio-canary/workload");
    await run({ keepSplit: true });
    expect(imported).toHaveLength(1);
  });

  it("is refused while a rollout runs, and while guards would lower what is handed back", async () => {
    take.mockRejectedValueOnce(new LeaseHeld("cluster-a", "ann on laptop", undefined));
    await expect(run()).rejects.toThrow(
      "Nothing was handed back:\n - a rollout is running, by ann on laptop: wait for its end, or stop it",
    );
    routes(100);
    settings = { ...settings, guard: {} as ReleaseSettings["guard"] };
    await expect(run()).rejects.toThrow("guards would lower a canary that has requests");
    expect(imported).toEqual([]);
  });

  it("is refused of a chain", async () => {
    settings = { ...settings, chain: { entries: [] } as unknown as ReleaseSettings["chain"] };
    await expect(run()).rejects.toThrow("the services are a chain");
  });

  it("is done in all clusters or in none", async () => {
    const [, second] = servers;
    if (!second) throw new Error("there are two");
    second.refuse = () => "you may not";
    await expect(run()).rejects.toThrow(
      /Nothing was handed back:\n - (VirtualService|DestinationRule) user\/user-service in cluster-b: you may not/,
    );
    expect(marks(0)).toContain("istio-canary/workload");
    expect(marks(1)).toContain("istio-canary/workload");
    expect([imported, configured]).toEqual([[], []]);
    second.stop();
    await expect(run()).rejects.toThrow("cluster-b cannot be read");
  });

  it("is undone where the state cannot be written", async () => {
    stack["importState"] = () => Promise.reject(new Error("the stack is currently locked"));
    await expect(run()).rejects.toThrow(
      "Nothing was handed back:\n - the stack is currently locked",
    );
    for (const i of [0, 1]) expect(marks(i)).toContain("istio-canary/workload");
  });

  it("is undone where another update has changed the stack meanwhile", async () => {
    let asked = 0;
    stack["exportState"] = () => Promise.resolve({ ...state, version: asked++ });
    await expect(run()).rejects.toThrow(
      "Nothing was handed back:\n - another update has changed the stack meanwhile: run this command again",
    );
    expect(marks(0)).toContain("istio-canary/workload");
  });
});
