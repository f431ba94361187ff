import { guardAccount } from "../../../lib/manifests/guard-policies.ts";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { releaseName } from "../../../release/release-settings.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { parseGuardFile, parseNotifications } from "../../../stacks/guard-file.ts";
import { rawConfig, settings } from "../../helpers/fixtures.ts";
import { secretValue, type Recording } from "../../helpers/mocks.ts";
import { runProgram } from "../../helpers/run-program.ts";

// Nothing is deployed: the clusters of the fixture are nowhere.
vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: (clusters) =>
    Promise.resolve(
      clusters.map(({ name }) => ({ name, unreachable: undefined, routes: new Map() })),
    ),
}));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: () => Promise.resolve({}),
  writeNotes: () => Promise.resolve(),
}));

const MESH = "organization/istio-canary/mesh";
const guard = { image: "registry.example.com/istio-canary:1", partitionLimit: "20m" };
const rollout = {
  webhooks: [{ name: "secret", when: "during", url: "https://secret.example.com/hook" }],
  notifications: [{ url: "https://secret.example.com/slack" }],
  gates: {
    successRate: { atLeast: 99.5 },
    web: [{ name: "orders", url: "https://secret.example.com/{{version}}/{{since}}" }],
  },
};

/** Whose guards have rights in the services' namespace of the first cluster. */
function subjects({ resources }: Recording): readonly unknown[] {
  const [binding] = resources.filter(({ name }) =>
    name.startsWith("release-guard-cluster-a-user-role-binding"),
  );
  return (binding?.inputs["subjects"] as readonly { readonly name: string }[]).map(
    ({ name }) => name,
  );
}

/** Runs the program: what nothing waits for comes late. */
const run = (...[raw, stacks]: Parameters<typeof runProgram>) =>
  runProgram(raw, stacks, (name) => name.endsWith("-file"));
const guards = ({ resources }: Recording) =>
  resources.filter(({ name }) => name.startsWith("release-guard"));
const monitoring = { mode: "prometheus", namespace: "watch" };
const whole = { ...rawConfig(), weight: 0, monitoring, guard, rollout };

describe("the guards of a stack", () => {
  let one: Recording;
  let joined: Recording;
  beforeAll(async () => {
    one = (await run(whole)).program;
    const { services, weight, ...rest } = { ...rawConfig(), weight: 0, monitoring };
    const mesh = await run(rest);
    expect(guards(mesh.program)).toEqual([]);
    const own = services.map((each) => ({ ...each, ingressHosts: rest.ingress.hosts }));
    const release = { meshStack: MESH, services: own, weight, guard, rollout };
    joined = (await run(release, { [MESH]: mesh.outputs })).program;
  }, 60_000);

  it("are the same with a mesh of its own and with another stack's", () => {
    const told = (program: Recording) =>
      guards(program).map(({ type, name, inputs, provider }) => ({ type, name, inputs, provider }));
    expect(told(one).length).toBeGreaterThan(30);
    expect(told(joined)).toEqual(told(one));
  });

  it("go by what is released, and by nothing secret", () => {
    const { data } = one.named("release-guard-cluster-b-file").inputs as {
      data: Record<string, string>;
    };
    const text = data["guard.json"] ?? "";
    expect(parseGuardFile(text)).toMatchObject({
      format: 1,
      release: releaseName(settings()),
      cluster: "cluster-b",
      clusters: ["cluster-a", "cluster-b"],
      prometheus: "http://prometheus.watch.svc:9090",
      services: [{ service: "user-service", namespace: "user", stable: "v1", canary: "v2" }],
      phases: [10, 30, 100],
      quarantine: [],
      rollout: { bake: "10m", gates: { successRate: { atLeast: 99.5 }, web: [] } },
      partitionLimit: "20m",
    });
    expect(text).not.toContain("secret");
  });

  it("have the URLs of those whom they notify as a secret", () => {
    const { stringData } = one.named("release-guard-cluster-b-access").inputs;
    const { "notifications.json": text = "" } = secretValue(stringData) as Record<string, string>;
    expect(parseNotifications(text)).toEqual([
      { url: "https://secret.example.com/slack", format: "slack", headers: {} },
    ]);
  });

  it("know of the next release before its weight changes, and hold no weight up", () => {
    const weights = one.resources.filter(({ type }) => type.endsWith(":VirtualService"));
    expect(weights).toHaveLength(2);
    for (const each of guards(one)) {
      if (/-(file|namespace)$/.test(each.name)) {
        for (const { inPlace } of weights) expect(inPlace).toContain(each.urn);
      } else if (each.parent !== "") {
        for (const { urn } of weights) expect(each.inPlace, each.name).toContain(urn);
      }
    }
  });
});

describe("the guards of a stack with a cluster that is away", () => {
  let away: Recording;
  let drained: Recording;
  beforeAll(async () => {
    const gateways = { eastWest: ["203.0.113.2"], ingress: ["203.0.113.2"] };
    const about = { network: "network-b", istioVersion: "1.31.0", caExpires: "", traffic: {} };
    const last = { clusters: { "cluster-b": { ...about, gateways } } };
    const own = { "organization/istio-canary/test": last };
    away = (await run({ ...whole, away: ["cluster-b"] }, own)).program;
    const drain = [{ name: "cluster-b", drain: true }];
    drained = (await run({ ...whole, away: drain }, own)).program;
  }, 60_000);

  it("go by the others alone", () => {
    const { data } = away.named("release-guard-cluster-a-file").inputs as {
      data: Record<string, string>;
    };
    expect(parseGuardFile(data["guard.json"] ?? "")).toMatchObject({
      clusters: ["cluster-a"],
      quarantine: ["cluster-b"],
    });
  });

  it("have no access to that cluster, whose guard keeps its rights in the others", () => {
    const there = away.resources.filter(({ provider }) => provider === "cluster-b");
    expect(there).toEqual([]);
    expect(subjects(away)).toEqual(["cluster-a", "cluster-b"].map(guardAccount));
  });

  it("have none in the others if theirs is drained, and keep their accounts there", () => {
    expect(subjects(drained)).toEqual([guardAccount("cluster-a")]);
    const accounts = drained.resources.filter(({ type }) => type.endsWith(":ServiceAccount"));
    expect(accounts.map(({ inputs }) => inputs["metadata"])).toContainEqual(
      expect.objectContaining({ name: guardAccount("cluster-b") }),
    );
  });
});

describe("the key guard", () => {
  const lines = (more: object) =>
    parseConfig({ ...rawConfig(), ...more }).problems.map((problem) => problemLine(problem));

  it("takes the URL of a cluster's own Prometheus, if it has one", () => {
    const { clusters, ...raw } = rawConfig();
    const own = clusters.map((each) => ({ ...each, prometheus: `http://${each.name}:9090` }));
    const { settings: parsed } = parseConfig({ ...raw, clusters: own, guard });
    expect(parsed?.guard?.clusters).toMatchObject([
      { name: "cluster-a", prometheus: "http://cluster-a:9090" },
      { name: "cluster-b", server: { server: "https://b.example.com:6443" } },
    ]);
    expect(lines({ clusters: [...own.slice(0, 1), ...clusters.slice(1)], guard })).toEqual([
      expect.stringMatching(
        /^ - guard: must be left out while the config does not say where the guard of cluster-b reads metrics/,
      ),
    ]);
  });

  it("takes the Service that prometheus names, and no Prometheus that wants a login", () => {
    const service = { namespace: "watch", name: "mimir", port: 8080, path: "/prometheus" };
    const reaching = (access: object) => ({
      monitoring,
      guard,
      prometheus: { "cluster-a": access },
    });
    const { settings: parsed } = parseConfig({ ...rawConfig(), ...reaching({ service }) });
    expect(parsed?.guard?.clusters[0]?.prometheus).toBe("http://mimir.watch.svc:8080/prometheus");
    const logins = [
      ["bearerToken", "t"],
      ["basicAuth", { username: "u", password: "p" }],
      ["tokenCommand", ["print-token"]],
      ["headers", { "X-Scope-OrgID": "shop" }],
    ] as const;
    for (const [name, value] of logins) {
      expect(lines(reaching({ service, [name]: value }))).toEqual([
        expect.stringContaining(
          `prometheus.cluster-a: must have no ${name} while there is a guard, which has no credentials for a Prometheus`,
        ),
      ]);
    }
  });

  it("needs an image that is the same in all clusters, and a limit or never", () => {
    expect(lines({ monitoring, guard: { image: "istio-canary:latest" } })[0]).toContain(
      "guard.image: must be an image with a tag other than latest",
    );
    expect(lines({ monitoring, guard: { ...guard, partitionLimit: "10" } })[0]).toContain(
      "guard.partitionLimit: must be a duration of at least 1ms with its unit (h, m, s or ms), or never",
    );
    expect(lines({ monitoring, guard: { ...guard, partitionLimit: "never" } })).toEqual([]);
  });

  it("finds the own Prometheus where the configuration does not name its namespace", () => {
    const { settings: parsed } = parseConfig({
      ...rawConfig(),
      monitoring: { mode: "prometheus" },
      guard,
    });
    expect(parsed?.guard?.clusters[0]?.prometheus).toBe(
      "http://prometheus.istio-canary-monitoring.svc:9090",
    );
  });
});
