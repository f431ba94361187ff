import {
  PatchStrategy,
  type KubernetesObject,
  type V1Deployment,
  type V1Service,
} from "@kubernetes/client-node";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import type { LoadClient } from "../../lab/demo/load.ts";
import { serverImage, smallRequests } from "../../lab/service-config.ts";
import { until } from "../../lib/until.ts";
import { clusters } from "./release.ts";

/** Applies an object as another team would, which knows nothing of this program: what others have written there is overruled. */
export async function apply(
  cluster: ClusterClient,
  object: KubernetesObject,
  manager = "another-team",
): Promise<void> {
  await cluster.objects.patch(
    object,
    undefined,
    undefined,
    manager,
    true,
    PatchStrategy.ServerSideApply,
  );
}

/** Waits until all Deployments of a namespace have all their pods, in every cluster. */
export async function untilDeployed(namespace: string): Promise<void> {
  for (const { apps, name: cluster } of clusters) {
    await until(
      `the Deployments of ${namespace} in ${cluster}`,
      async () => {
        const { items } = await apps.listNamespacedDeployment({ namespace });
        for (const { metadata, spec, status } of items) {
          const { observedGeneration, updatedReplicas, availableReplicas, replicas } = status ?? {};
          if (
            observedGeneration !== metadata?.generation ||
            [updatedReplicas, availableReplicas, replicas].some((count) => count !== spec?.replicas)
          ) {
            throw new Error(`${metadata?.name ?? ""}: ${JSON.stringify(status)}`);
          }
        }
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
}

/** Removes a namespace in every cluster, and waits until it is gone. */
export async function removeNamespace(namespace: string): Promise<void> {
  for (const { core, name: cluster } of clusters) {
    try {
      await core.deleteNamespace({ name: namespace });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    await until(
      `namespace ${namespace} of ${cluster} to be gone`,
      async () => {
        const { items } = await core.listNamespace({ fieldSelector: `metadata.name=${namespace}` });
        if (items.length > 0) throw new Error("not yet");
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
}

/** Namespace, Services, Deployments and pods of a namespace in one cluster. */
export async function objectsIn(
  { core, apps }: ClusterClient,
  namespace: string,
): Promise<readonly KubernetesObject[]> {
  const { items: pods } = await core.listNamespacedPod({ namespace });
  const { items: services } = await core.listNamespacedService({ namespace });
  const { items: deployments } = await apps.listNamespacedDeployment({ namespace });
  return [
    await core.readNamespace({ name: namespace }),
    ...services,
    ...deployments,
    ...pods.filter(({ metadata }) => !metadata?.deletionTimestamp),
  ];
}

/** The same of all clusters, by their identities: what is replaced or restarted gets another one. */
export async function identities(namespace: string): Promise<string[]> {
  const all = await Promise.all(
    clusters.map(async (cluster) =>
      (await objectsIn(cluster, namespace)).map(
        ({ metadata }) => `${cluster.name} ${metadata?.name ?? ""} ${metadata?.uid ?? ""}`,
      ),
    ),
  );
  return all.flat().sort();
}

/** The same of single objects. */
export async function identitiesOf(
  objects: readonly Required<Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">>[],
): Promise<string[]> {
  const all = await Promise.all(
    clusters.map(async (cluster) =>
      Promise.all(
        objects.map(async ({ apiVersion, kind, metadata: { name = "", namespace = "" } }) => {
          const { metadata } = await cluster.objects.read({
            ...{ apiVersion, kind },
            metadata: { name, namespace },
          });
          return `${cluster.name} ${kind} ${name} ${metadata?.uid ?? ""}`;
        }),
      ),
    ),
  );
  return all.flat();
}

/** Waits until each client has many answers from a moment on, and tells the versions that have given them. */
export async function versionsSince(
  load: readonly LoadClient[],
  since: number,
  count = 100,
): Promise<readonly (readonly string[])[]> {
  const answered = () =>
    load.map(({ answers }) =>
      answers.flatMap(({ at, version }) => (at > since && version !== undefined ? [version] : [])),
    );
  await until(
    `${count} more answers of every client`,
    () => {
      const few = answered().find((each) => each.length < count);
      if (few) throw new Error(`one has ${few.length}`);
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
  return answered().map((versions) => [...new Set(versions)].sort());
}

/** A Deployment of the service. */
export type Track = "blue" | "green";

/**
 * The Service `web` of another team, and its Deployments, in a namespace of their own. Nothing in it is named as the
 * program would name it.
 *
 * @param port of the Service
 * @param second the version of the second Deployment
 * @param manager the field manager by which the team applies
 */
export function anotherTeam(
  namespace: string,
  port: number,
  { second = "v2", manager = "another-team" } = {},
) {
  const service = "web";
  const home = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace, labels: { "istio-injection": "enabled" } },
  };
  const theirs: V1Service & KubernetesObject = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: service, namespace },
    spec: { selector: { tier: "web" }, ports: [{ name: "http", port, targetPort: 8080 }] },
  };

  /** A Deployment, which may get another version label as time goes by. */
  function deployment(
    track: Track,
    version: string,
    cluster: string,
  ): V1Deployment & KubernetesObject {
    const selector = { tier: "web", track };
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: track, namespace },
      spec: {
        replicas: 1,
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: { ...selector, version } },
          spec: {
            containers: [
              {
                name: "server",
                image: serverImage(track === "blue" ? "v1" : "v2"),
                args: ["--port=8080", `--version=${version}`, `--cluster=${cluster}`],
                ports: [{ containerPort: 8080 }],
                resources: { requests: smallRequests },
                readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 },
                // Until no Envoy sends it requests any more.
                lifecycle: { preStop: { sleep: { seconds: 4 } } },
              },
            ],
          },
        },
      },
    };
  }

  /** Has a version deployed in every cluster, and waits until it is there. */
  async function deploy(track: Track, version: string): Promise<void> {
    for (const cluster of clusters)
      await apply(cluster, deployment(track, version, cluster.name), manager);
    await untilDeployed(namespace);
  }

  /** Has a Deployment removed in every cluster, and waits until no pod of it is left. */
  async function undeploy(track: Track): Promise<void> {
    for (const { apps } of clusters)
      await apps.deleteNamespacedDeployment({ name: track, namespace });
    for (const { core, name: cluster } of clusters) {
      await until(
        `the pods of ${track} in ${cluster} to be gone`,
        async () => {
          const labelSelector = `track=${track}`;
          const { items } = await core.listNamespacedPod({ namespace, labelSelector });
          if (items.length > 0) throw new Error(`${items.length} are there`);
        },
        { timeoutMs: 120_000, everyMs: 500 },
      );
    }
  }

  /** Makes all of it anew in every cluster: v1 and the second version. */
  async function moveIn(): Promise<void> {
    await removeNamespace(namespace);
    for (const cluster of clusters) {
      await apply(cluster, home, manager);
      await apply(cluster, theirs, manager);
    }
    await deploy("blue", "v1");
    await deploy("green", second);
  }

  /** What the team applies in a cluster, as it has moved in. */
  function manifests(cluster: string): readonly KubernetesObject[] {
    return [home, theirs, deployment("blue", "v1", cluster), deployment("green", second, cluster)];
  }

  return { service, namespace, manifests, deploy, undeploy, moveIn };
}
