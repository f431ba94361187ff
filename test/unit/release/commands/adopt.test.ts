import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { canaryRouteObjects } from "../../../../components/canary-route.ts";
import { adopt, type AdoptOptions } from "../../../../release/commands/adopt.ts";
import { exampleManifests } from "../../../helpers/example-manifests.ts";
import { FakeApiServer, kubeconfigText } from "../../../helpers/fake-api-server.ts";
import { withPods } from "../../../helpers/fake-objects.ts";

const CLUSTERS = ["cluster-a", "cluster-b"];
const bookinfo = exampleManifests("bookinfo", "bookinfo.yaml");
const routes = exampleManifests("bookinfo", "routes.yaml");

let dir: string;
let servers: readonly FakeApiServer[];
let printed: string[];

const file = () => readFile(path.join(dir, "Pulumi.shop.yaml"), "utf8");
const config = async () =>
  (load(await file()) as { config: Record<string, unknown> }).config as {
    "istio-canary:services": Record<string, unknown>[];
    [key: string]: unknown;
  };
const service = async (name: string) =>
  (await config())["istio-canary:services"].find((each) => each["name"] === name);

/** Gives every cluster the same objects. */
function have(...objects: readonly KubernetesObject[]): void {
  servers.forEach((server, i) => {
    server.others.add(...withPods(objects, CLUSTERS[i] ?? ""));
  });
}

async function run({
  meshStack = "organization/istio-canary/mesh",
  ...options
}: Partial<Omit<AdoptOptions, "meshStack">> & {
  meshStack?: string | null;
} = {}): Promise<string> {
  const kubeconfig = path.join(dir, "kubeconfig");
  const [a, b] = servers;
  await writeFile(kubeconfig, kubeconfigText({ "prod-a": a?.url ?? "", "prod-b": b?.url ?? "" }));
  printed = [];
  vi.stubEnv("KUBECONFIG", kubeconfig);
  await adopt({
    context: ["prod-a", "prod-b"],
    stack: "shop",
    ...(meshStack !== null && { meshStack }),
    dir,
    ...options,
  });
  return printed.join("\n");
}

/** A Service of another team with a Deployment for each version. */
function app(
  name: string,
  {
    ports = [{ name: "http", port: 80 }],
    versions = ["v1"],
    label = "version",
    account = name,
  }: {
    ports?: readonly object[];
    versions?: readonly string[];
    label?: string;
    account?: string;
  } = {},
): readonly KubernetesObject[] {
  const namespace = "shop";
  const metadata = { name, namespace };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      ...{ spec: { selector: { app: name }, ports } },
    },
    ...versions.map((version) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: `${name}-${version}`, namespace },
      spec: {
        template: {
          metadata: { labels: { app: name, [label]: version } },
          spec: { serviceAccountName: account },
        },
      },
    })),
  ];
}
const home = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };

function istio(
  kind: "VirtualService" | "DestinationRule",
  name: string,
  spec: object,
  metadata: object = {},
): KubernetesObject {
  const object = {
    apiVersion: "networking.istio.io/v1",
    kind,
    metadata: { name, namespace: "shop", ...metadata },
  };
  return { ...object, ...{ spec } };
}

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "adopt-"));
  servers = await Promise.all(CLUSTERS.map(() => FakeApiServer.start()));
  vi.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
  process.exitCode = undefined;
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  for (const server of servers) server.stop();
  await rm(dir, { recursive: true });
});

describe("release adopt", () => {
  it("lets nothing that objects of others say end a comment", async () => {
    const spec = { host: "cart", subsets: [{ name: "v1", labels: { version: "v1" } }] };
    const rule = istio("DestinationRule", "cart", spec, {
      annotations: {
        "argo-rollouts.argoproj.io/managed-by-rollouts":
          "x\r  istio-canary:weight: 100\u2028\u0085y",
      },
    });
    have(home, ...app("cart"), ...app("shop"), rule);
    await run();
    const written = await readFile(path.join(dir, "Pulumi.shop.yaml"), "utf8");
    expect(written).toContain("names Rollout x istio-canary:weight: 100 y, which writes it.");
    expect(written).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029]/u);
  });

  it("writes what Bookinfo's clusters have, as the example shows it, and only reads", async () => {
    have(...bookinfo, ...routes);
    const text = await run({ namespace: ["bookinfo"], stack: "bookinfo" });
    expect(text).toContain(
      " - bookinfo/reviews: requests go to v1, and v3 with 0 %, as they do now",
    );
    const written = await readFile(path.join(dir, "Pulumi.bookinfo.yaml"), "utf8");
    const example = new URL("../../../../examples/bookinfo/Pulumi.bookinfo.yaml", import.meta.url);
    expect(written.replace("./schema", "../../schema")).toBe(await readFile(example, "utf8"));
    for (const { requests } of servers) {
      expect(requests.filter((each) => !each.startsWith("GET "))).toEqual([]);
    }
    expect(process.exitCode).toBeUndefined();
  });

  it("writes nothing over a file, and tells what differs", async () => {
    have(...bookinfo, ...routes);
    await run();
    const before = await file();
    expect(await run()).toBe("Pulumi.shop.yaml says what the clusters have: 4 services.");
    expect(process.exitCode).toBeUndefined();
    for (const { others } of servers) {
      const [, rule] = routes;
      const live = others.get("VirtualService", rule?.metadata?.name ?? "") as unknown as {
        spec: { http: object[] };
      };
      live.spec.http = [{ ...live.spec.http[0], timeout: "3s" }];
      const ratings = others.all.findIndex(
        ({ kind, metadata }) => kind === "Service" && metadata?.name === "ratings",
      );
      others.all.splice(ratings, 1);
    }
    expect(await run()).toBe(
      [
        "Pulumi.shop.yaml is there already, and stays as it is. It differs from what the clusters have:",
        " - bookinfo/ratings: is in the file, but no cluster has it",
        ' - bookinfo/reviews: timeout is "none" in the file, "3s" in the clusters',
        "Change it by hand, or move it away and run this command again.",
      ].join("\n"),
    );
    expect(process.exitCode).toBe(2);
    expect(await file()).toBe(before);
  });

  it("finds the program's own routes again as the file says them", async () => {
    have(...bookinfo, ...routes);
    await run();
    for (const { others } of servers) {
      for (const kind of ["VirtualService", "DestinationRule"]) {
        others.all.splice(
          others.all.findIndex((each) => each.kind === kind),
          1,
        );
      }
      const { weights, versions } = canaryRouteObjects({
        ...{ service: "reviews", namespace: "bookinfo", stable: "v1", canary: "v3", weight: 0 },
        ...{ timeout: "none", crossClusterHosts: ["reviews.bookinfo.cluster-b.mesh"] },
        existing: { port: 9080, versionLabel: "version", serviceAccounts: ["bookinfo-reviews"] },
      });
      others.add(weights, versions);
    }
    expect(await run()).toContain("says what the clusters have");
  });

  it("keeps what a file without a configuration has, as the salt of its secrets", async () => {
    have(...bookinfo);
    await writeFile(path.join(dir, "Pulumi.shop.yaml"), "encryptionsalt: v1:salt\n");
    await run();
    expect(load(await file())).toMatchObject({ encryptionsalt: "v1:salt" });
    expect((await config())["istio-canary:services"]).toHaveLength(4);
  });

  it("takes what the owner's rules say: the split, time limit, retries, matches, policies", async () => {
    have(
      home,
      ...app("cart", {
        versions: ["v1", "v2"],
        label: "app.kubernetes.io/version",
        account: "default",
      }),
      istio("DestinationRule", "cart", {
        host: "cart",
        trafficPolicy: { connectionPool: { tcp: { maxConnections: 100 } } },
        subsets: ["v1", "v2"].map((name) => ({
          name,
          labels: { "app.kubernetes.io/version": name },
        })),
      }),
      istio("VirtualService", "cart", {
        hosts: ["cart.shop.svc.cluster.local"],
        http: [
          {
            match: [{ headers: { "x-tester": { exact: "yes" } } }],
            route: [{ destination: { host: "cart", subset: "v2" } }],
            timeout: "2500ms",
            retries: { attempts: 1, perTryTimeout: "1s", retryOn: "connect-failure" },
          },
          {
            route: [
              { destination: { host: "cart", subset: "v1" }, weight: 75 },
              { destination: { host: "cart", subset: "v2" }, weight: 25 },
            ],
            timeout: "2500ms",
            retries: { attempts: 1, perTryTimeout: "1s", retryOn: "connect-failure" },
          },
        ],
      }),
    );
    await run();
    expect(await service("cart")).toEqual({
      workload: "existing",
      name: "cart",
      namespace: "shop",
      versionLabel: "app.kubernetes.io/version",
      serviceAccounts: ["default"],
      adopt: true,
      ingressHosts: [],
      timeout: "2500ms",
      retries: { attempts: 1, perTryTimeout: "1s", on: "connect-failure" },
      trafficPolicy: { connectionPool: { tcp: { maxConnections: 100 } } },
      matches: [{ header: { "x-tester": "yes" } }],
      stable: { version: "v1" },
      canary: { version: "v2" },
    });
    expect(await config()).toMatchObject({
      "istio-canary:weight": 25,
      "istio-canary:phases": [10, 25, 30, 100],
    });
  });

  it("takes ten services with several ports and protocols, and says why not of each other", async () => {
    const grpc = { name: "grpc", port: 9090 };
    have(
      home,
      ...app("front", { ports: [{ name: "http", port: 8080 }, grpc] }),
      ...app("pricing", { ports: [{ name: "rpc", appProtocol: "grpc", port: 9000 }] }),
      ...app("push", { ports: [{ name: "web", appProtocol: "kubernetes.io/h2c", port: 80 }] }),
      ...["a", "b", "c", "d", "e", "f", "g"].flatMap((name) => app(name)),
      ...app("database", { ports: [{ name: "tcp-sql", port: 5432 }] }),
      ...app("numbered", {
        versions: ["1.2.3"],
        ports: [
          { name: "tcp-sql", port: 5432 },
          { name: "http", port: 80 },
        ],
      }),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "idle", namespace: "shop" },
        ...{ spec: { selector: { app: "idle" }, ports: [] } },
      },
      // As Flagger makes it, and takes it away.
      ...app("flagged"),
      istio(
        "VirtualService",
        "flagged",
        {
          hosts: ["flagged"],
          http: [
            {
              route: [
                { destination: { host: "flagged-primary" }, weight: 100 },
                { destination: { host: "flagged-canary" }, weight: 0 },
              ],
            },
          ],
        },
        {
          ownerReferences: [
            { apiVersion: "flagger.app/v1beta1", kind: "Canary", name: "flagged", uid: "1" },
          ],
        },
      ),
      // As Argo Rollouts writes it: subsets by a hash of its own.
      ...app("argo", { versions: ["v1", "v2"] }),
      istio(
        "DestinationRule",
        "argo",
        {
          host: "argo",
          subsets: ["stable", "canary"].map((name) => ({
            name,
            labels: { app: "argo", "rollouts-pod-template-hash": `${name}1` },
          })),
        },
        { annotations: { "argo-rollouts.argoproj.io/managed-by-rollouts": "argo" } },
      ),
      istio("VirtualService", "argo", {
        hosts: ["argo"],
        http: [
          {
            route: [
              { destination: { host: "argo", subset: "stable" }, weight: 100 },
              { destination: { host: "argo", subset: "canary" }, weight: 0 },
            ],
          },
        ],
      }),
    );
    const text = await run();
    expect(text).toContain("It takes 11 services:");
    expect(await service("numbered")).toMatchObject({
      morePorts: [{ port: 5432, protocol: "tcp" }],
      stable: { version: "1.2.3" },
    });
    expect(await service("front")).toMatchObject({
      servicePort: 8080,
      morePorts: [{ port: 9090, protocol: "grpc" }],
      retries: { attempts: 2, on: "connect-failure,refused-stream,unavailable,cancelled" },
    });
    expect(await service("pricing")).toMatchObject({ servicePort: 9000, protocol: "grpc" });
    expect(await service("push")).toMatchObject({ protocol: "http2" });
    const lines = text.split("\n");
    const about = (key: string) => {
      const from = lines.findIndex((line) => line === `  ${key}:`) + 1;
      const rest = lines.slice(from);
      return rest
        .slice(
          0,
          rest.findIndex((line) => !line.startsWith("    - ")),
        )
        .join("\n");
    };
    expect(about("shop/database")).toContain(
      "servicePort must be a port of Service shop/database in cluster-a, which has 5432",
    );
    expect(about("shop/idle")).toBe("    - nobody knows its version: it selects no pod");
    expect(about("shop/flagged")).toContain("metadata.ownerReferences names Canary flagged");
    expect(about("shop/argo")).toContain(
      "metadata.annotations[argo-rollouts.argoproj.io/managed-by-rollouts] names Rollout argo, which writes it",
    );
    // The same in the file, as a comment.
    expect(await file()).toContain("# shop/flagged:\n#   - adopt must change nothing for requests");
  });

  it("takes one weight, and tells what needs a stack of its own", async () => {
    const split = (name: string, weight: number) => [
      ...app(name, { versions: ["v1", "v2"] }),
      istio("DestinationRule", name, {
        host: name,
        subsets: ["v1", "v2"].map((version) => ({ name: version, labels: { version } })),
      }),
      istio("VirtualService", name, {
        hosts: [name],
        http: [
          {
            // In either order: the one that gets most is the stable one.
            route: [
              { destination: { host: name, subset: "v2" }, weight },
              { destination: { host: name, subset: "v1" }, weight: 100 - weight },
            ],
          },
        ],
      }),
    ];
    have(home, ...split("one", 10), ...split("two", 10), ...split("three", 30));
    expect(await run()).toContain(
      "its canary v2 has 30 %, and weight is one value for all services of a stack, here 10: adopt it into a stack of its own (--service shop/three --stack NAME)",
    );
    await rm(path.join(dir, "Pulumi.shop.yaml"));
    await run({ service: ["shop/three"] });
    expect((await config())["istio-canary:weight"]).toBe(30);
  });

  it("says that Istio is there already where no stack has installed it", async () => {
    have(...bookinfo);
    await run({ meshStack: null, namespace: ["bookinfo"] });
    expect(await config()).toMatchObject({
      "istio-canary:mesh": { istio: "existing" },
      "istio-canary:clusters": [
        { name: "cluster-a", context: "prod-a" },
        { name: "cluster-b", context: "prod-b" },
      ],
    });
  });

  it("writes nothing where a cluster does not answer, or nothing can be taken", async () => {
    have(home, ...app("database", { ports: [{ name: "tcp-sql", port: 5432 }] }));
    await expect(run()).rejects.toThrow(
      "No service can be taken, so Pulumi.shop.yaml was not written.",
    );
    await expect(run({ context: ["prod-a"] })).rejects.toThrow("at least two clusters");
    servers[1]?.stop();
    await expect(run()).rejects.toThrow("Nothing was written: context prod-b cannot be read");
    await expect(file()).rejects.toThrow("ENOENT");
  });
});
