import { describe, expect, it, vi } from "vitest";
import type { Check, CheckContext, Limits, Rise } from "../../../fleet/checks/check.ts";
import { runChecks } from "../../../fleet/checks/index.ts";
import { canaryAvailable } from "../../../fleet/checks/canary-available.ts";
import { certificates } from "../../../fleet/checks/certificates.ts";
import { clocks } from "../../../fleet/checks/clocks.ts";
import { gateways } from "../../../fleet/checks/gateways.ts";
import { unchanged } from "../../../fleet/checks/unchanged.ts";
import type { MeshCluster } from "../../../fleet/cluster.ts";
import { endpointsOf } from "../../../fleet/endpoints.ts";
import { readRoute } from "../../../fleet/read-deployed.ts";
import type { DeployedRoute } from "../../../lib/deployed.ts";
import { issueCertificate } from "../../../lib/issue-certificate.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readRoute: vi.fn<typeof readRoute>(),
}));
vi.mock(import("../../../fleet/endpoints.ts"), () => ({
  endpointsOf: vi.fn<typeof endpointsOf>(),
}));

const limits: Limits = { confirmWithinMs: 1000, certificateDays: 7, clockSkewMs: 5000 };
const rise: Rise = {
  service: "user-service",
  namespace: "user",
  canary: "v2",
  replicas: 2,
  weight: 10,
  quarantine: [],
  host: "user-service.user.svc.cluster.local",
  hosts: ["user-service.user.svc.cluster.local"],
  changes: new Map(),
};

/** A context whose clusters have only what the check under test uses. */
function context(...fakes: object[]): CheckContext {
  const clusters = fakes.map(
    (fake, i) => ({ name: `cluster-${i}`, ...fake }) as unknown as MeshCluster,
  );
  const [cluster] = clusters;
  if (!cluster) throw new Error("a context has a cluster");
  return { cluster, clusters, rises: [rise], canaries: [rise], limits };
}

describe("runChecks", () => {
  const passes: Check = { name: "it is well", run: () => Promise.resolve([]) };
  const fails: Check = {
    name: "it is day",
    run: () => Promise.resolve([{ seen: "it is night", fix: "Wait." }]),
  };
  const throws: Check = {
    name: "it can be told",
    run: () => Promise.reject(new Error("no answer")),
  };

  it("says nothing where all is well", async () => {
    expect(await runChecks(context({}), [passes])).toEqual([]);
  });

  it("says for all checks what was seen and what to do, and takes an error for a no", async () => {
    expect(await runChecks(context({}), [fails, passes, throws])).toEqual([
      "it is day: no, it is night. Wait.",
      "it can be told: could not be checked: no answer.",
    ]);
  });

  it("does not wait for ever", async () => {
    const hangs: Check = { name: "it ends", run: () => Promise.withResolvers<never>().promise };
    expect(await runChecks(context({}), [hangs, fails], 20)).toEqual([
      "it ends: could not be checked: not done within 0.02 s.",
      "it is day: no, it is night. Wait.",
    ]);
  });
});

describe("the check of the canary's pods", () => {
  const withPods = (availableReplicas: number | undefined) =>
    context({
      apps: { readNamespacedDeployment: () => Promise.resolve({ status: { availableReplicas } }) },
    });

  it("wants as many as the configuration", async () => {
    expect(await canaryAvailable.run(withPods(2))).toEqual([]);
    for (const pods of [1, 0, undefined]) {
      const [finding] = await canaryAvailable.run(withPods(pods));
      expect(finding?.seen).toBe(
        `${pods ?? 0} of 2 pods of Deployment user/user-service-v2 are available`,
      );
    }
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
    expect((await clocks.run(context(at(61_000), at(0)))).map(({ seen }) => seen)).toEqual([
      "its API server's clock is 61 s ahead of cluster-1's",
    ]);
    expect(await clocks.run(context(at(0), at(61_000)))).toEqual([]);
  });

  it("takes a clock that is not told for a no", async () => {
    expect(await clocks.run(context(at(0), at(undefined)))).toHaveLength(1);
  });
});

describe("the check of the certificate authorities", () => {
  const withCertificates = async (days: number) => {
    const request = { commonName: "CA", organization: "mesh", pathLength: 1 };
    const encoded = async (valid: number) => {
      const { certificate } = await issueCertificate({ ...request, days: valid });
      return Buffer.from(certificate).toString("base64");
    };
    const data = { "ca-cert.pem": await encoded(days), "root-cert.pem": await encoded(3650) };
    return context({ core: { readNamespacedSecret: () => Promise.resolve({ data }) } });
  };

  it("wants them to be valid for as long as is configured", async () => {
    expect(await certificates.run(await withCertificates(8))).toEqual([]);
    const [finding] = await certificates.run(await withCertificates(3));
    expect(finding?.seen).toMatch(/^ca-cert\.pem ends on .*, in \d days, and 7 are wanted$/);
  });

  it("names one that is missing", async () => {
    const empty = context({ core: { readNamespacedSecret: () => Promise.resolve({ data: {} }) } });
    expect(await certificates.run(empty)).toHaveLength(2);
  });
});

describe("the check that nobody has changed the routes", () => {
  const route = (generation: number): DeployedRoute => ({
    stable: "v1",
    canary: "v2",
    weight: 0,
    generation,
    replaces: undefined,
    http: [],
    images: {},
  });
  const started = (): CheckContext => {
    const found = context({});
    const changes = new Map([["cluster-0", { route: route(4), http: [] }]]);
    return { ...found, rises: [{ ...rise, changes }] };
  };

  it("compares with what the update has begun with", async () => {
    vi.mocked(readRoute).mockResolvedValue(route(4));
    expect(await unchanged.run(started())).toEqual([]);
  });

  it.each([route(5), undefined])("says so when there is another one, or none", async (now) => {
    vi.mocked(readRoute).mockResolvedValue(now);
    const [finding] = await unchanged.run(started());
    expect(finding?.seen).toBe("somebody has changed those of user/user-service since");
  });
});

describe("the check of the gateways", () => {
  const pod = { metadata: { name: "client", namespace: "user" } };
  const reached = (error?: string) => ({
    proxies: () => Promise.resolve([pod]),
    exec: () => (error === undefined ? Promise.resolve("") : Promise.reject(new Error(error))),
  });
  const notReady = (last: string) =>
    `pilot-agent failed:\nError: timeout waiting for Envoy proxy to become ready. Last error: ${last}`;
  const local = { address: "10.0.0.5", port: 8080, healthy: true, requests: 0 };
  const subset = "outbound|80|v2|user-service.user.svc.cluster.local";
  const remote = new Map([
    [subset, [local, { address: "192.0.2.7", port: 15443, healthy: true, requests: 0 }]],
  ]);

  it("is content with a gateway that turns plain HTTP down", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    for (const last of ['Get "http://192.0.2.7:15443": EOF', "read: connection reset by peer"]) {
      expect(await gateways.run(context(reached(notReady(last))))).toEqual([]);
    }
  });

  it.each([
    "dial tcp 192.0.2.7:15443: connect: no route to host",
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    "<nil>",
  ])("names the gateway that takes no connection: %s", async (last) => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    const findings = await gateways.run(context(reached(notReady(last))));
    expect(findings.map(({ seen }) => seen)).toEqual([
      `user/client gets no connection to 192.0.2.7:15443 (${last})`,
    ]);
  });

  it("fails when the pod cannot be asked", async () => {
    vi.mocked(endpointsOf).mockResolvedValue(remote);
    await expect(gateways.run(context(reached("pods/exec is forbidden")))).rejects.toThrow(
      "forbidden",
    );
  });

  it("has nothing to say where no proxy sends anything to another cluster", async () => {
    for (const endpoints of [new Map(), new Map([[subset, [local]]])]) {
      vi.mocked(endpointsOf).mockResolvedValue(endpoints);
      expect(await gateways.run(context(reached("never asked")))).toEqual([]);
    }
  });
});
