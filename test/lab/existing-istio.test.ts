import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { INGRESS_GATEWAY_OBJECT, INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { underLoad } from "./load.ts";
import { releaseOf } from "./release-command.ts";
import { clusters, failure, withOwnRelease } from "./release.ts";

const settings = labSettings();

/** Whatever changes in an object changes one of these; of pods and what their controllers count, the spec's count does. */
const identity = z.looseObject({
  kind: z.string().optional(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    generation: z.number().optional(),
    resourceVersion: z.string(),
  }),
});
const list = z.looseObject({ items: z.array(z.unknown()) });

/** Kinds whose objects say by a count of their own that their spec has changed. */
const ISTIO: readonly (readonly [group: string, plural: string])[] = [
  ["networking.istio.io", "gateways"],
  ["security.istio.io", "peerauthentications"],
  ["security.istio.io", "authorizationpolicies"],
];

/** Everything of the mesh in all clusters, in one line each. */
async function meshObjects(): Promise<string[]> {
  const all = await Promise.all(
    clusters.map(async ({ core, apps, custom, name: cluster }) => {
      const counted = await Promise.all([
        apps.listNamespacedDeployment({ namespace: SYSTEM_NAMESPACE }),
        apps.listNamespacedDeployment({ namespace: INGRESS_NAMESPACE }),
      ]);
      const started = await Promise.all([
        core.listNamespacedPod({ namespace: SYSTEM_NAMESPACE }),
        core.listNamespacedPod({ namespace: INGRESS_NAMESPACE }),
      ]);
      const still = await Promise.all([
        core.listNamespacedConfigMap({
          namespace: SYSTEM_NAMESPACE,
          fieldSelector: "metadata.name=istio",
        }),
        core.listNamespacedSecret({ namespace: SYSTEM_NAMESPACE }),
        core.listNamespacedService({ namespace: SYSTEM_NAMESPACE }),
        core.listNamespacedService({ namespace: INGRESS_NAMESPACE }),
        core.listNamespace({ fieldSelector: `metadata.name=${SYSTEM_NAMESPACE}` }),
        ...ISTIO.flatMap(([group, plural]) =>
          [SYSTEM_NAMESPACE, INGRESS_NAMESPACE].map((namespace) =>
            custom.listNamespacedCustomObject({ group, version: "v1", namespace, plural }),
          ),
        ),
      ]);
      const lines = (lists: readonly unknown[], state: "uid" | "generation" | "resourceVersion") =>
        lists
          .flatMap((each) => list.parse(each).items)
          .map((item) => {
            const { metadata } = identity.parse(item);
            return [cluster, metadata.namespace, metadata.name, metadata.uid, metadata[state]]
              .filter(Boolean)
              .join(" ");
          });
      return [
        ...lines(counted, "generation"),
        ...lines(started, "uid"),
        ...lines(still, "resourceVersion"),
      ];
    }),
  );
  return all.flat().sort();
}

describe("a mesh that others have installed", () => {
  let before: string[];
  beforeAll(async () => {
    before = await meshObjects();
  });

  // The lab's own stack has installed this mesh; all that this one knows of it is how the clusters are reached.
  const release = withOwnRelease("existing-istio", {
    config: {
      kubeconfig: labPaths(settings).kubeconfig,
      mesh: { istio: "existing" },
      clusters: settings.clusters.map(({ name }) => ({ name, context: name })),
      ingress: { gateway: INGRESS_GATEWAY_OBJECT },
    },
  });
  const load = underLoad(release, { inMesh: clusters, outside: clusters });

  it("is not installed: the stack has routes and workloads, and nothing else", async () => {
    const kinds = (await release.pulumi.urns()).map(
      (urn) => urn.split("::")[2]?.split("$").at(-1) ?? "",
    );
    expect([...new Set(kinds)].sort()).toEqual([
      "istio-canary:mesh:CanaryRoute",
      "istio-canary:mesh:CanaryWorkload",
      "istio-canary:mesh:CrossClusterServiceEntry",
      "kubernetes:apps/v1:Deployment",
      "kubernetes:core/v1:Namespace",
      "kubernetes:core/v1:Service",
      "kubernetes:core/v1:ServiceAccount",
      "kubernetes:networking.istio.io/v1:DestinationRule",
      "kubernetes:networking.istio.io/v1:ServiceEntry",
      "kubernetes:networking.istio.io/v1:VirtualService",
      "kubernetes:policy/v1:PodDisruptionBudget",
      "pulumi:providers:kubernetes",
      "pulumi:pulumi:Stack",
    ]);
  });

  it("is told of as the clusters have it", async () => {
    expect(await release.pulumi.outputs()).toMatchObject({
      mesh: { istio: "existing", id: "lab-mesh", trustDomain: "cluster.local" },
      clusters: Object.fromEntries(
        settings.clusters.map(({ name, network }) => [
          name,
          { network, istioVersion: expect.stringMatching(/^1\.31\./) as unknown },
        ]),
      ),
    });
  });

  it("is refused where the config says something else, with each key and cluster", async () => {
    await release.pulumi.setConfigs({ "mesh.id": "shop-mesh", "clusters[1].network": "network-x" });
    const text = await failure(release.pulumi.preview());
    await release.pulumi.setConfig("mesh.id", undefined);
    await release.pulumi.setConfig("clusters[1].network", undefined);
    for (const { name } of settings.clusters) {
      expect(text).toContain(`mesh.id: must be lab-mesh, which istiod of ${name} has`);
    }
    const network = settings.clusters[1]?.network ?? "";
    expect(text).toContain(
      `clusters[1].network: must be ${network}, as the label topology.istio.io/network of the system namespace says`,
    );
  });

  it("is refused where its Gateway takes no request for a host", async () => {
    await release.pulumi.setConfig("services[0].ingressHosts[1]", "nobody.example.org");
    const text = await failure(release.pulumi.preview());
    await release.pulumi.setConfig("services[0].ingressHosts[1]", undefined);
    expect(text).toContain(
      `services[0].ingressHosts: must be a host for which Gateway ${INGRESS_GATEWAY_OBJECT} takes requests`,
    );
    expect((await release.pulumi.preview()).value).toEqual([]);
  });

  it("carries a weight up and back in every cluster", async () => {
    await release.change(10);
    await release.expectEverywhere(10);
    await release.change(0);
    await release.expectEverywhere(0);
  });

  it("is known to the release command, which reads it too", async () => {
    const { exitCode, text } = await releaseOf(release.stack, "status");
    expect(exitCode, text).toBe(0);
    for (const { name } of clusters) expect(text).toContain(name);
  });

  it("has answered every request meanwhile", () => {
    load.expectNoFailure();
  });

  it("is as it was", async () => {
    expect(await meshObjects()).toEqual(before);
  });
});
