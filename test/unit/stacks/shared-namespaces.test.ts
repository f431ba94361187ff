import type { V1ObjectMeta } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { SharedNamespaces } from "../../../stacks/shared-namespaces.ts";
import { settings } from "../../helpers/fixtures.ts";

interface Objects {
  readonly deployments?: readonly V1ObjectMeta[];
  readonly services?: readonly V1ObjectMeta[];
  readonly pods?: readonly V1ObjectMeta[];
}

/** A cluster whose namespaces hold these objects; a namespace that it does not have is empty. */
function cluster(name: string, has: Readonly<Record<string, Objects | Error>>): ClusterClient {
  const list =
    (kind: keyof Objects) =>
    ({ namespace }: { readonly namespace: string }) => {
      const objects = has[namespace] ?? {};
      if (objects instanceof Error) return Promise.reject(objects);
      return Promise.resolve({ items: (objects[kind] ?? []).map((metadata) => ({ metadata })) });
    };
  return {
    name,
    apps: { listNamespacedDeployment: list("deployments") },
    core: { listNamespacedService: list("services"), listNamespacedPod: list("pods") },
  } as unknown as ClusterClient;
}

const own: Objects = {
  deployments: [{ name: "user-service-v1", labels: { app: "user-service" } }],
  services: [{ name: "user-service" }],
  pods: [
    {
      name: "user-service-v1-1",
      labels: { app: "user-service" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "", uid: "" }],
    },
  ],
};
const others: Objects = {
  deployments: [...(own.deployments ?? []), { name: "report" }],
  services: [...(own.services ?? []), { name: "report" }],
  pods: [...(own.pods ?? []), { name: "debug" }],
};

const find = async (has: Objects | Error, namespace = "user", made: readonly string[] = []) => {
  const clusters = [cluster("cluster-a", { [namespace]: has }), cluster("cluster-b", {})];
  const note = { format: 1, at: 1, weight: 0, canaries: {}, made };
  const journals = new Map(
    clusters.map(({ name }) => [name, [{ "configured-prod": JSON.stringify(note) }]]),
  );
  return SharedNamespaces.find(clusters, settings(), journals, "prod");
};

describe("a namespace that the program has made", () => {
  it("is marked to stay while others have objects there", async () => {
    const shared = await find(others);
    expect(shared.stays("cluster-a", "user")).toBe(true);
    expect(shared.stays("cluster-b", "user")).toBe(false);
    expect(shared.problems).toEqual([]);
  });

  it("goes with its last service where nobody else has anything", async () => {
    expect((await find(own)).stays("cluster-a", "user")).toBe(false);
    const { problems } = await find(own, "shop", ["shop/user-service"]);
    expect(problems).toEqual([]);
  });

  it("keeps its last service where others have objects, and none has marked it", async () => {
    const { problems } = await find(others, "shop", ["shop/user-service"]);
    expect(problems).toEqual([
      {
        path: "services",
        rule: "must have a service in namespace shop as long as others have objects there, which would be deleted with it: Deployment report, Service report, Pod debug in cluster-a",
        fix: "Add the service again, without a canary, and run pulumi up: that marks the namespace to stay. Then take the service out.",
      },
    ]);
  });

  it("keeps it where nobody may look", async () => {
    const [problem] = (await find(new Error("forbidden"), "shop", ["shop/cart"])).problems;
    expect(problem?.rule).toContain("is not known: cluster-a: forbidden");
    expect((await find(new Error("forbidden"))).problems).toEqual([]);
  });
});
