import { X509Certificate } from "node:crypto";
import { ApiException, type V1Pod } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";
import type { Check, CheckContext, Rise } from "../../../fleet/checks/check.ts";
import { runChecks } from "../../../fleet/checks/index.ts";
import { canaryAvailable } from "../../../fleet/checks/canary-available.ts";
import { certificates } from "../../../fleet/checks/certificates.ts";
import { clocks } from "../../../fleet/checks/clocks.ts";
import { dryRun } from "../../../fleet/checks/dry-run.ts";
import { existingVersions } from "../../../fleet/checks/existing-versions.ts";
import { gateways } from "../../../fleet/checks/gateways.ts";
import { remoteClusters } from "../../../fleet/checks/remote-clusters.ts";
import { subsets } from "../../../fleet/checks/subsets.ts";
import { unchanged } from "../../../fleet/checks/unchanged.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { endpointsOf } from "../../../fleet/endpoints.ts";
import { findWorkload } from "../../../fleet/find-workload.ts";
import { virtualHostsOf } from "../../../fleet/routing/istio/envoy.ts";
import { getJson } from "../../../fleet/pod-http.ts";
import { servedChain } from "../../../fleet/served-chain.ts";
import { routesOf } from "../../../fleet/routing/istio/read-routes.ts";
import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";
import type { DeployedRoute } from "../../../lib/deployed.ts";
import type { FoundPod } from "../../../lib/existing.ts";
import { issueCertificate, type IssuedPems } from "../../../lib/issue-certificate.ts";
import { checkLimits } from "../../helpers/check-limits.ts";
import { existing, foundPod, foundWorkload } from "../../helpers/existing.ts";

vi.mock(import("../../../fleet/routing/istio/read-routes.ts"), async (original) => ({
  ...(await original()),
  routesOf: vi.fn<typeof routesOf>(),
}));
vi.mock(import("../../../fleet/find-workload.ts"), () => ({
  findWorkload: vi.fn<typeof findWorkload>(),
}));
vi.mock(import("../../../fleet/served-chain.ts"), () => ({
  servedChain: vi.fn<typeof servedChain>(),
}));
vi.mock(import("../../../fleet/endpoints.ts"), () => ({
  endpointsOf: vi.fn<typeof endpointsOf>(),
}));
vi.mock(import("../../../fleet/routing/istio/envoy.ts"), async (original) => ({
  ...(await original()),
  virtualHostsOf: vi.fn<typeof virtualHostsOf>(),
}));
vi.mock(import("../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getJson: vi.fn<typeof getJson>(),
}));
vi.mock(import("../../../fleet/routing/istio/write-routes.ts"), async (original) => ({
  ...(await original()),
  writeRoutes: vi.fn<typeof writeRoutes>(),
}));

const podOf = (name: string, labels: Record<string, string> = {}) => ({
  metadata: { name, namespace: "user", uid: `uid of ${name}`, labels },
});

const rise: Rise = {
  service: "user-service",
  namespace: "user",
  canary: "v2",
  weight: 10,
  quarantine: [],
  host: "user-service.user.svc.cluster.local",
  hosts: ["user-service.user.svc.cluster.local"],
  changes: new Map(),
};

/** A context whose clusters have only what the check under test uses. */
function context(...fakes: object[]): CheckContext {
  const clusters = fakes.map(
    (fake, i) => ({ name: `cluster-${i}`, ...fake }) as unknown as ClusterClient,
  );
  const [cluster] = clusters;
  if (!cluster) throw new Error("a context has a cluster");
  return { cluster, clusters, rises: [rise], canaries: [rise], limits: checkLimits };
}

describe("runChecks", () => {
  const passes: Check = { name: "it is well", run: () => Promise.resolve([]) };
  const fails: Check = {
    name: "it is day",
    run: () => Promise.resolve([{ seen: "it is night", fix: "Wait.", mayHeal: true }]),
  };
  const throws: Check = {
    name: "it can be told",
    run: () => Promise.reject(new Error("no answer")),
  };

  it("says nothing where all is well", async () => {
    expect(await runChecks(context({}), [passes])).toEqual([]);
  });

  it("says for all checks what was seen and what to do, and treats an error as a no", async () => {
    expect(await runChecks(context({}), [fails, passes, throws])).toEqual([
      { line: "it is day: no, it is night. Wait.", mayHeal: true },
      { line: "it can be told: could not be checked: no answer.", mayHeal: true },
    ]);
  });

  it.each([
    { code: 403, mayHeal: false },
    { code: 429, mayHeal: true },
    { code: 500, mayHeal: true },
  ])(
    "tells what may heal from what cannot, as an API server's $code: $mayHeal",
    async ({ code, mayHeal }) => {
      const refused: Check = {
        name: "it is allowed",
        run: () => Promise.reject(new ApiException(code, "", undefined, {})),
      };
      const final: Check = {
        name: "it is young",
        run: () => Promise.resolve([{ seen: "it is old", fix: "Renew it.", mayHeal: false }]),
      };
      expect(await runChecks(context({}), [refused, final])).toEqual([
        { line: `it is allowed: could not be checked: HTTP ${code}.`, mayHeal },
        { line: "it is young: no, it is old. Renew it.", mayHeal: false },
      ]);
    },
  );

  it("does not wait forever", async () => {
    const hangs: Check = { name: "it ends", run: () => Promise.withResolvers<never>().promise };
    const limits = { ...checkLimits, lookWithinMs: 20 };
    const objections = await runChecks({ ...context({}), limits }, [hangs, fails]);
    expect(objections.map(({ line }) => line)).toEqual([
      "it ends: could not be checked: did not finish within 0.02 s.",
      "it is day: no, it is night. Wait.",
    ]);
  });
});

describe("the check of the versions that others have made", () => {
  const of = async (pods: readonly FoundPod[]) => {
    vi.mocked(findWorkload).mockResolvedValue(foundWorkload({ pods }));
    const own = { ...rise, existing };
    return existingVersions.run({ ...context({}), canaries: [own] });
  };
  const fix = "See kubectl -n user get pods --show-labels. Whoever made them has to fix them.";

  it("passes where both are ready, whatever else is there", async () => {
    expect(await of([foundPod("v1"), foundPod("v1", { isReady: false }), foundPod("v2")])).toEqual(
      [],
    );
  });

  it("wants every pod of the canary that its owner wants", async () => {
    expect(await of([foundPod("v1"), foundPod("v2"), foundPod("v2", { isReady: false })])).toEqual([
      { seen: "1 of 2 pods of v2 of user/user-service are ready", fix, mayHeal: true },
    ]);
  });

  it("wants a pod of each, and does not wait for one that nobody has made", async () => {
    expect(await of([foundPod("v1", { isReady: false })])).toEqual([
      {
        seen: "of user/user-service none of the 1 pods with version=v1 is ready (user-service-v1)",
        fix,
        mayHeal: true,
      },
      {
        seen: "of user/user-service no pod has version=v2; it selects 1 with version=v1",
        fix,
        mayHeal: false,
      },
    ]);
  });

  it("wants a sidecar in every pod", async () => {
    const bare = foundPod("v2", { hasSidecar: false });
    const [first] = await of([foundPod("v1"), foundPod("v2"), bare]);
    expect(first?.seen).toMatch(/^user\/user-service must have a sidecar in every pod/);
    expect(first?.mayHeal).toBe(false);
  });

  it("asks nothing about what the program makes", async () => {
    vi.mocked(findWorkload).mockRejectedValue(new Error("asked"));
    expect(await existingVersions.run(context({}))).toEqual([]);
  });

  describe("and their number", () => {
    const scaled = { kinds: ["Deployment", "Rollout"], name: "web-green" };
    /** What speaks against a weight for some pods of v2 beside some of v1. */
    const withPods = async (
      weight: number,
      [stable, canary]: readonly [number, number],
      {
        needed,
        target = scaled.name,
        ...spec
      }: { needed?: number; target?: string; minReplicas?: number; maxReplicas?: number } = {},
    ) => {
      const pods = [
        ...Array.from({ length: stable }, () => foundPod("v1")),
        ...Array.from({ length: canary }, () => foundPod("v2", { scaled })),
      ];
      vi.mocked(findWorkload).mockResolvedValue(foundWorkload({ pods }));
      const own = {
        ...{ ...rise, weight, existing },
        needed: new Map(needed === undefined ? [] : [["cluster-0", needed]]),
      };
      const autoscaler = {
        metadata: { name: "green" },
        spec: { ...spec, scaleTargetRef: { kind: "Rollout", name: target } },
      };
      const items = spec.maxReplicas === undefined ? [] : [autoscaler];
      const autoscaling = {
        listNamespacedHorizontalPodAutoscaler: () => Promise.resolve({ items }),
      };
      return existingVersions.run({
        ...context({ autoscaling }),
        rises: [own],
        canaries: [own],
      });
    };

    it.each([
      { weight: 10, pods: [10, 1] as const },
      { weight: 100, pods: [10, 5] as const },
    ])("is enough at half of the canary's share: $pods at $weight %", async ({ weight, pods }) => {
      expect(await withPods(weight, pods)).toEqual([]);
    });

    it("is refused where the canary's owner runs too few", async () => {
      expect(await withPods(100, [10, 4])).toEqual([
        {
          seen: "4 of 5 pods of v2 of user/user-service are ready that 100 % of the requests need: stable has 10 for all of them, and safety.capacity is 0.5",
          fix: "Have its owner run more pods of v2 there. safety.capacity sets how many are enough.",
          mayHeal: false,
        },
      ]);
    });

    it("goes by what stable had when the canary began, though it has fewer now", async () => {
      const [first] = await withPods(100, [2, 4], { needed: 10 });
      expect(first?.seen).toContain("stable has 10 for all of them");
      expect(await withPods(100, [2, 5], { needed: 10 })).toEqual([]);
    });

    it("goes by the owner's autoscaler where there is one", async () => {
      expect(await withPods(100, [10, 2], { maxReplicas: 5 })).toEqual([]);
      const [small] = await withPods(100, [10, 2], { maxReplicas: 4 });
      expect(small).toMatchObject({ fix: "Have its owner raise its maximum.", mayHeal: false });
      expect(small?.seen).toContain("HorizontalPodAutoscaler green makes at most 4");
      const [coming] = await withPods(100, [10, 2], { minReplicas: 5, maxReplicas: 5 });
      expect(coming?.seen).toContain("HorizontalPodAutoscaler green keeps at least 5");
      expect(coming?.mayHeal).toBe(true);
      // That of another one makes no pod of the canary.
      expect(await withPods(100, [10, 2], { target: "web-blue", maxReplicas: 5 })).toHaveLength(1);
    });
  });

  it("leaves these alone whose count is their owner's", async () => {
    const canaries = [{ ...rise, existing }];
    expect(await canaryAvailable.run({ ...context({}), canaries })).toEqual([]);
  });
});

describe("the check of the canary's pods", () => {
  const withPods = (availableReplicas: number | undefined, replicas = 2) =>
    context({
      apps: {
        readNamespacedDeployment: () =>
          Promise.resolve({ spec: { replicas }, status: { availableReplicas } }),
      },
    });

  it("wants all that the Deployment wants, whoever has decided how many these are", async () => {
    expect(await canaryAvailable.run(withPods(2))).toEqual([]);
    expect(await canaryAvailable.run(withPods(1, 1))).toEqual([]);
    for (const pods of [1, 0, undefined]) {
      const [finding] = await canaryAvailable.run(withPods(pods));
      expect(finding?.seen).toBe(
        `${pods ?? 0} of 2 pods of Deployment user/user-service-v2 are available`,
      );
      expect(finding?.mayHeal).toBe(true);
    }
  });

  it("wants a Deployment", async () => {
    const readNamespacedDeployment = () => Promise.reject(new ApiException(404, "", undefined, {}));
    expect(await canaryAvailable.run(context({ apps: { readNamespacedDeployment } }))).toEqual([
      expect.objectContaining({
        seen: "there is no Deployment user/user-service-v2",
        mayHeal: false,
      }),
    ]);
  });

  /** A canary at a weight, of a service that needs so many pods for all requests. */
  const canaryOf = async ({
    weight,
    all,
    pods,
    autoscaler,
    refusal,
  }: {
    readonly weight: number;
    readonly all: number;
    readonly pods: number;
    readonly autoscaler?: { readonly minReplicas?: number; readonly maxReplicas: number };
    readonly refusal?: Error;
  }) => {
    const scaled = (name: string, spec: object) => ({
      metadata: { name },
      spec: { ...spec, scaleTargetRef: { kind: "Deployment", name } },
    });
    const items = [
      scaled("user-service-v1", { minReplicas: 50, maxReplicas: 50 }),
      ...(autoscaler ? [scaled("user-service-v2", autoscaler)] : []),
    ];
    const own = { ...rise, weight, needed: new Map([["cluster-0", all]]) };
    return canaryAvailable.run({
      ...context({
        apps: {
          readNamespacedDeployment: () =>
            Promise.resolve({ spec: { replicas: pods }, status: { availableReplicas: pods } }),
        },
        autoscaling: {
          listNamespacedHorizontalPodAutoscaler: () =>
            refusal ? Promise.reject(refusal) : Promise.resolve({ items }),
        },
      }),
      rises: [own],
      canaries: [own],
    });
  };

  it.each([
    { weight: 10, all: 5, pods: 1 },
    { weight: 100, all: 5, pods: 5 },
    { weight: 100, all: 5, pods: 3 },
    { weight: 30, all: 50, pods: 8 },
  ])("lets $pods of $all pods take $weight %", async (which) => {
    expect(await canaryOf(which)).toEqual([]);
  });

  it("refuses fewer pods than half of the canary's share", async () => {
    expect(await canaryOf({ weight: 100, all: 50, pods: 1 })).toEqual([
      {
        seen: "1 of 25 pods of Deployment user/user-service-v2 are available that 100 % of the requests need: stable has 50 for all of them, and safety.capacity is 0.5",
        fix: "Raise the canary's replicas. If it was scaled down by hand: kubectl -n user scale deployment user-service-v2 --replicas=25, or the number that is configured.",
        mayHeal: false,
      },
    ]);
    expect(await canaryOf({ weight: 30, all: 50, pods: 7 })).toHaveLength(1);
    expect(await canaryOf({ weight: 10, all: 5, pods: 0 })).toHaveLength(1);
  });

  it("takes an autoscaler at its word that may add the pods under load", async () => {
    const at = { weight: 100, all: 50, pods: 2 };
    expect(await canaryOf({ ...at, autoscaler: { maxReplicas: 25 } })).toEqual([]);
    const [small] = await canaryOf({ ...at, autoscaler: { maxReplicas: 24 } });
    expect(small?.seen).toContain("HorizontalPodAutoscaler user-service-v2 makes at most 24");
    expect(small?.mayHeal).toBe(false);
    // None is no pod that takes the first request.
    expect(await canaryOf({ ...at, pods: 0, autoscaler: { maxReplicas: 25 } })).toHaveLength(1);
  });

  it("waits for the pods that an autoscaler makes without load", async () => {
    const autoscaler = { minReplicas: 25, maxReplicas: 25 };
    const [coming] = await canaryOf({ weight: 100, all: 50, pods: 2, autoscaler });
    expect(coming?.seen).toContain("HorizontalPodAutoscaler user-service-v2 keeps at least 25");
    expect(coming?.mayHeal).toBe(true);
  });

  it("knows no autoscaler where it may not see any, and passes on that nobody answers", async () => {
    const at = { weight: 100, all: 50, pods: 1 };
    const refused = await canaryOf({ ...at, refusal: new ApiException(403, "", undefined, {}) });
    expect(refused[0]?.fix).toMatch(/^Raise the canary's replicas/);
    const silent = canaryOf({ ...at, refusal: new ApiException(503, "", undefined, {}) });
    await expect(silent).rejects.toThrow("503");
  });
});

describe("the check of the clocks", () => {
  const at = (clockAheadMs: number | undefined) => ({
    clockAheadMs,
    core: { readNamespace: () => Promise.resolve({}) },
  });

  it("lets them differ by as much as is configured", async () => {
    expect(await clocks.run(context(at(4000), at(-1000)))).toEqual([]);
  });

  it("names the one that is ahead, and how far", async () => {
    expect(await clocks.run(context(at(61_000), at(0)))).toEqual([
      expect.objectContaining({
        seen: "its API server's clock is 61 s ahead of cluster-1's",
        mayHeal: true,
      }),
    ]);
    expect(await clocks.run(context(at(0), at(61_000)))).toEqual([]);
  });

  it("treats a missing time as a no", async () => {
    expect(await clocks.run(context(at(0), at(undefined)))).toHaveLength(1);
  });
});

describe("the check of the certificate authorities", () => {
  const request = { organization: "mesh", pathLength: 1 };
  const issue = async (commonName: string, days: number, issuer?: IssuedPems) => {
    const by = issuer && { issuerCertificate: issuer.certificate, issuerKey: issuer.privateKey };
    return issueCertificate({ ...request, commonName, days, ...by });
  };
  const parsed = (pems: readonly IssuedPems[]) =>
    pems.map(({ certificate }) => new X509Certificate(certificate));

  /** A cluster that trusts these roots, and in which each istiod serves one of the chains. */
  function withChains(roots: readonly IssuedPems[], ...chains: readonly (readonly IssuedPems[])[]) {
    vi.mocked(servedChain).mockImplementation((_, pod) =>
      Promise.resolve(parsed(chains[Number(pod.metadata?.name)] ?? [])),
    );
    const pem = roots.map(({ certificate }) => certificate).join("");
    return context({
      core: { readNamespacedConfigMap: () => Promise.resolve({ data: { "root-cert.pem": pem } }) },
      runningPods: () => Promise.resolve(chains.map((_, i) => podOf(String(i)))),
    });
  }

  async function made(authorityDays: number, rootDays = 3650) {
    const root = await issue("root", rootDays);
    const authority = await issue("authority", authorityDays, root);
    return { root, authority, leaf: await issue("istiod", authorityDays, authority) };
  }

  it("wants them to be valid for as long as is configured", async () => {
    const { root, authority, leaf } = await made(8);
    expect(await certificates.run(withChains([root], [leaf, authority, root]))).toEqual([]);
  });

  it("names the authority by which istiod signs, once for all its pods, and looks again for a new one", async () => {
    const { root, authority, leaf } = await made(3);
    const chain = [leaf, authority, root];
    const findings = await certificates.run(withChains([root], chain, chain));
    expect(findings).toEqual([
      {
        seen: `the certificate authority by which istiod signs expires on ${authority.expires}, in 2 days; at least 7 days are required`,
        fix: "If the program generated it, set certificates.rotation to another text, and run pulumi up; else provide a new one. istiod loads it within two minutes. Or lower safety.certificateDays.",
        mayHeal: true,
      },
    ]);
  });

  it("names the root that has issued it, and no other that is trusted", async () => {
    const other = await issue("old root", 1);
    const { root, authority, leaf } = await made(8, 8);
    expect(await certificates.run(withChains([other, root], [leaf, authority]))).toEqual([]);
    const soon = await made(3, 3);
    const findings = await certificates.run(withChains([soon.root], [soon.leaf, soon.authority]));
    expect(findings.map(({ seen, mayHeal }) => [seen, mayHeal])).toEqual([
      [expect.stringMatching(/^the certificate authority by which istiod signs expires on /), true],
      [
        `the root certificate expires on ${soon.root.expires}, in 2 days; at least 7 days are required`,
        false,
      ],
    ]);
  });

  it("judges the roots where istiod signs by one of its own", async () => {
    const root = await issue("root", 3);
    const leaf = await issue("istiod", 3, root);
    expect(await certificates.run(withChains([root], [leaf]))).toEqual([
      expect.objectContaining({
        seen: expect.stringMatching(/^the root certificate expires/) as string,
      }),
    ]);
  });

  it("names an authority that no trusted root has issued", async () => {
    const { authority, leaf } = await made(8);
    const { root } = await made(8);
    expect(await certificates.run(withChains([root], [leaf, authority]))).toEqual([
      {
        seen: "no root in ConfigMap istio-system/istio-ca-root-cert has issued the certificate authority by which istiod signs",
        fix: "Run pulumi up --refresh.",
        mayHeal: true,
      },
    ]);
  });
});

describe("the check that nobody has changed the routes", () => {
  const route = (version: number): DeployedRoute => ({
    stable: "v1",
    canary: "v2",
    weight: 0,
    // As when a label changes.
    generation: 1,
    resourceVersion: String(version),
    replaces: undefined,
    rules: [],
    images: {},
  });
  const found = (now: DeployedRoute) => ({
    service: rise.service,
    namespace: rise.namespace,
    hosts: [],
    contexts: [],
    route: now,
  });
  const started = (): CheckContext => {
    const base = context({});
    const changes = new Map([["cluster-0", { route: route(4), rules: [] }]]);
    return { ...base, rises: [{ ...rise, changes }] };
  };

  it("compares with what the update has begun with", async () => {
    vi.mocked(routesOf).mockResolvedValue([found(route(4))]);
    expect(await unchanged.run(started())).toEqual([]);
  });

  it.each([route(5), undefined])("says so when there is another one, or none", async (now) => {
    vi.mocked(routesOf).mockResolvedValue(now ? [found(now)] : []);
    const [finding] = await unchanged.run(started());
    expect(finding?.seen).toBe(
      "the VirtualService of user/user-service was modified after this update began",
    );
    expect(finding?.mayHeal).toBe(false);
  });
});

describe("the check of the gateways", () => {
  const pod = podOf("client");
  const reached = (error?: string) => ({
    proxies: () => Promise.resolve([pod]),
    exec: () => (error === undefined ? Promise.resolve("") : Promise.reject(new Error(error))),
  });
  const notReady = (last: string) =>
    `pilot-agent failed:\nError: timeout waiting for Envoy proxy to become ready. Last error: ${last}`;
  /** The cluster that is looked at, and another one. */
  const contextOf = (cluster: object, eastWestPort = 15443) => context(cluster, { eastWestPort });
  const local = { address: "10.0.0.5", port: 8080, healthy: true, requests: 0 };
  const subset = "outbound|80|v2|user-service.user.svc.cluster.local";
  const remote = new Map([
    [subset, [local, { address: "192.0.2.7", port: 15443, healthy: true, requests: 0 }]],
  ]);

  it("accepts a gateway that rejects plain HTTP", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    for (const last of ['Get "http://192.0.2.7:15443": EOF', "read: connection reset by peer"]) {
      expect(await gateways.run(contextOf(reached(notReady(last))))).toEqual([]);
    }
  });

  it("knows a gateway by the port of its cluster", async () => {
    const at = (port: number) => ({ address: "192.0.2.7", port, healthy: true, requests: 0 });
    vi.mocked(endpointsOf).mockResolvedValue(new Map([[subset, [local, at(443)]]]));
    const unreachable = reached(notReady("<nil>"));
    const findings = await gateways.run(contextOf(unreachable, 443));
    expect(findings.map(({ seen }) => seen)).toEqual([
      "user/client cannot connect to 192.0.2.7:443 (<nil>)",
    ]);
    expect(await gateways.run(contextOf(unreachable))).toEqual([]);
  });

  it("asks an IPv6 address as URLs have it", async () => {
    const endpoint = { address: "2001:db8::7", port: 15443, healthy: true, requests: 0 };
    vi.mocked(endpointsOf).mockResolvedValue(new Map([[subset, [endpoint]]]));
    const exec = vi.fn<(...args: readonly unknown[]) => Promise<string>>();
    exec.mockRejectedValue(new Error(notReady("<nil>")));
    const [finding] = await gateways.run(contextOf({ ...reached(), exec }));
    expect(finding?.seen).toBe("user/client cannot connect to [2001:db8::7]:15443 (<nil>)");
    expect(exec.mock.calls[0]?.[2]).toContain("http://[2001:db8::7]:15443");
  });

  it.each([
    "dial tcp 192.0.2.7:15443: connect: no route to host",
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    "<nil>",
  ])("names the gateway that cannot be reached: %s", async (last) => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    const findings = await gateways.run(contextOf(reached(notReady(last))));
    expect(findings).toEqual([
      expect.objectContaining({
        seen: `user/client cannot connect to 192.0.2.7:15443 (${last})`,
        mayHeal: true,
      }),
    ]);
  });

  it("fails when the pod cannot be asked", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    await expect(gateways.run(contextOf(reached("pods/exec is forbidden")))).rejects.toThrow(
      "forbidden",
    );
  });

  it("tries from a pod of the services themselves rather than from one of others", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    const of = (namespace: string) => ({ metadata: { ...pod.metadata, namespace } });
    const tried: (string | undefined)[] = [];
    const exec = ({ metadata }: V1Pod) => {
      tried.push(metadata?.namespace);
      return Promise.resolve("");
    };
    const tryIn = async (...namespaces: readonly string[]) => {
      const proxies = () => Promise.resolve(namespaces.map(of));
      expect(await gateways.run(contextOf({ proxies, exec }))).toEqual([]);
    };
    await tryIn("bank", "user", "vault");
    await tryIn("bank");
    expect(tried).toEqual(["user", "bank"]);
  });

  it("tries from another proxy when one is gone by then", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    let listed = [podOf("job-1"), podOf("job-2"), podOf("client")];
    const tried: (string | undefined)[] = [];
    const exec = ({ metadata }: V1Pod) => {
      tried.push(metadata?.name);
      if (metadata?.name === "client") return Promise.resolve("");
      listed = listed.filter(({ metadata: { name } }) => name !== metadata?.name);
      return Promise.reject(new Error("pods not found"));
    };
    const cluster = { proxies: () => Promise.resolve(listed), exec };
    expect(await gateways.run(contextOf(cluster))).toEqual([]);
    expect(tried).toEqual(["job-1", "job-2", "client"]);
  });

  it("has no objection where no proxy sends anything to another cluster", async () => {
    for (const endpoints of [new Map(), new Map([[subset, [local]]])]) {
      vi.mocked(endpointsOf).mockResolvedValue(endpoints);
      expect(await gateways.run(contextOf(reached("never asked")))).toEqual([]);
    }
  });
});

describe("the check of the proxies' subsets", () => {
  const GATEWAY = { istio: "eastwestgateway" };
  const subset = `outbound|80|v2|${rise.host}`;
  const healthy = { address: "10.0.0.5", port: 8080, healthy: true, requests: 0 };
  const routed = { host: { name: "host", domains: [rise.host], routes: [] } };

  /** A cluster in which the pods that are told are gone once one of them was asked. */
  function withPods(names: readonly string[], gone: readonly string[] = []): CheckContext {
    let isAsked = false;
    vi.mocked(virtualHostsOf).mockImplementation(() => {
      isAsked = true;
      return Promise.resolve(routed);
    });
    const listed = () => names.filter((name) => !isAsked || !gone.includes(name));
    return context({ proxies: () => Promise.resolve(listed().map((name) => podOf(name))) });
  }

  it("is about the port under which a service is called that others have made", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(new Map());
    const canaries = [{ ...rise, existing: { ...existing, port: 9000 } }];
    const [finding] = await subsets.run({ ...withPods(["client"]), canaries });
    expect(finding?.seen).toBe(`the proxy of user/client has no outbound|9000|v2|${rise.host}`);
    const gateway = {
      ...podOf("gateway"),
      metadata: { ...podOf("gateway").metadata, labels: GATEWAY },
    };
    const pods = context({ proxies: () => Promise.resolve([gateway]) });
    const [behind] = await subsets.run({ ...pods, canaries });
    expect(behind?.seen).toBe(`the proxy of user/gateway has no outbound_.9000_.v2_.${rise.host}`);
  });

  it("is about every port of a service", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(new Map([[subset, [healthy]]]));
    const canaries = [{ ...rise, ports: [80, 9090] }];
    const [finding] = await subsets.run({ ...withPods(["client"]), canaries });
    expect(finding?.seen).toBe(`the proxy of user/client has no outbound|9090|v2|${rise.host}`);
  });

  it("wants the subset of stable for a TCP port, whose routes name no version", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(new Map([[subset, [healthy]]]));
    const canaries = [{ ...rise, ports: [80, 5432], tcpPorts: [5432] }];
    const gateway = context({ proxies: () => Promise.resolve([podOf("gateway", GATEWAY)]) });
    const findings = await Promise.all(
      [withPods(["client"]), gateway].map((each) => subsets.run({ ...each, canaries })),
    );
    expect(findings.flat().map(({ seen }) => seen)).toEqual([
      `the proxy of user/client has no outbound|5432|tcp-stable|${rise.host}`,
      `the proxy of user/gateway has no outbound_.80_.v2_.${rise.host}`,
      `the proxy of user/gateway has no outbound_.5432_.tcp-stable_.${rise.host}`,
    ]);
  });

  it("does not miss a pod that is gone before it answers", async () => {
    vi.mocked(endpointsOf).mockImplementation((_, { metadata }) =>
      metadata?.name === "job"
        ? Promise.reject(new Error("cannot reach user/job:15000"))
        : Promise.resolve(new Map([[subset, [healthy]]])),
    );
    expect(await subsets.run(withPods(["client", "job"], ["job"]))).toEqual([]);
  });

  it("names a pod that is there and does not answer, and does not know the subset, or no endpoint of it", async () => {
    vi.mocked(endpointsOf).mockImplementation((_, { metadata }) => {
      if (metadata?.name === "silent") return Promise.reject(new Error("no answer within 10 s"));
      const endpoints = [{ ...healthy, healthy: false }];
      return Promise.resolve(new Map(metadata?.name === "old" ? [] : [[subset, endpoints]]));
    });
    const findings = await subsets.run(withPods(["silent", "old", "alone"]));
    expect(findings.map(({ seen }) => seen)).toEqual([
      "the proxy of user/silent does not answer (no answer within 10 s)",
      `the proxy of user/old has no ${subset}`,
      `the proxy of user/alone has no healthy endpoint for ${subset}`,
    ]);
    expect(findings.every(({ mayHeal }) => mayHeal)).toBe(true);
  });
});

describe("the check of istiod's remote clusters", () => {
  const withIstiods = (...lists: (readonly string[])[]) => {
    const [first = [], ...later] = lists;
    let next = [first, ...later];
    return context({
      runningPods: () => {
        const [now = [], ...rest] = next;
        if (rest.length > 0) next = rest;
        return Promise.resolve(now.map((name) => podOf(name)));
      },
    });
  };

  it("names the cluster that an istiod is not in sync with, which may heal", async () => {
    vi.mocked(getJson).mockResolvedValue([{ id: "cluster-0", syncStatus: "syncing" }]);
    const [finding] = await remoteClusters.run(withIstiods(["istiod-1"]));
    expect(finding).toMatchObject({
      seen: "istiod (istiod-1) says that cluster-0 is syncing",
      mayHeal: true,
    });
  });

  it("does not ask an istiod that is gone by then, and fails for one that is there", async () => {
    vi.mocked(getJson).mockImplementation((_, { metadata }) =>
      metadata?.name === "istiod-1"
        ? Promise.reject(new Error("cannot reach it"))
        : Promise.resolve([{ id: "cluster-0", syncStatus: "synced" }]),
    );
    const both = ["istiod-1", "istiod-2"];
    expect(await remoteClusters.run(withIstiods(both, ["istiod-2"]))).toEqual([]);
    await expect(remoteClusters.run(withIstiods(both))).rejects.toThrow("cannot reach it");
  });
});

describe("the dry run", () => {
  const changing = (): CheckContext => {
    const found = context({});
    const route = { generation: 4 } as DeployedRoute;
    return {
      ...found,
      rises: [{ ...rise, changes: new Map([["cluster-0", { route, rules: [] }]]) }],
    };
  };

  it.each([
    ["a policy that denies it", new ApiException(403, "", { message: "no" }, {}), false],
    ["a webhook that does not answer", new ApiException(500, "", { message: "no" }, {}), true],
    ["an API server that is unreachable", new Error("no"), true],
  ])("tells %s", async (_, error, mayHeal) => {
    vi.mocked(writeRoutes).mockRejectedValue(error);
    expect(await dryRun.run(changing())).toEqual([
      { seen: "no", fix: "Fix what the API server rejected.", mayHeal },
    ]);
  });
});
