import { setTimeout } from "node:timers/promises";

import {
  PatchStrategy,
  type KubernetesObject,
  type V1Deployment,
  type V1Namespace,
  type V1Service,
} from "@kubernetes/client-node";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import type { LoadClient } from "../../lab/demo/load.ts";
import { serverImage, smallRequests } from "../../lab/service-config.ts";
import { until } from "../../lib/until.ts";
import { clusters } from "./release.ts";

/** A colour of the other team's Deployments: nothing is named as the program would name it. */
export type Track = "blue" | "green";

/** How often a controller applies its manifests, in milliseconds. */
const INTERVAL_MS = 300;

/** What another team has in a namespace of its own: a Service, and Deployments that it selects. */
export interface AnotherTeam {
  readonly namespace: string;
  readonly service: string;
  /** The Service's port. */
  readonly port: number;
  /** Field manager by which the team applies. @default "another-team" */
  readonly manager?: string | undefined;
}

/** What a team has deployed, and does, in the lab. */
export class TeamsService {
  readonly home: V1Namespace & KubernetesObject;
  readonly service: V1Service & KubernetesObject;
  readonly #team: AnotherTeam;

  constructor(team: AnotherTeam) {
    const { namespace, service: name, port } = team;
    this.#team = team;
    this.home = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { "istio-injection": "enabled" } },
    };
    this.service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { selector: { tier: name }, ports: [{ name: "http", port, targetPort: 8080 }] },
    };
  }

  /** A Deployment of the team's, which may get another version label as time goes by. */
  deployment(
    track: Track,
    version: string,
    cluster: string,
    replicas = 1,
  ): V1Deployment & KubernetesObject {
    const { namespace, service } = this.#team;
    const selector = { tier: service, track };
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: track, namespace },
      spec: {
        replicas,
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

  /** Applies an object as the team does it: whatever others have written there is overruled. */
  async apply(cluster: ClusterClient, object: KubernetesObject): Promise<void> {
    const manager = this.#team.manager ?? "another-team";
    await cluster.objects.patch(
      object,
      undefined,
      undefined,
      manager,
      true,
      PatchStrategy.ServerSideApply,
    );
  }

  /** Makes namespace and Service in every cluster, after what an earlier run has left is gone. */
  async install(): Promise<void> {
    await this.remove();
    for (const cluster of clusters) {
      await this.apply(cluster, this.home);
      await this.apply(cluster, this.service);
    }
  }

  /** Has a version deployed in every cluster, and waits until it is there. */
  async deploy(track: Track, version: string, replicas = 1): Promise<void> {
    const { namespace } = this.#team;
    for (const cluster of clusters) {
      await this.apply(cluster, this.deployment(track, version, cluster.name, replicas));
    }
    for (const { apps, name: cluster } of clusters) {
      await until(
        `${version} of ${cluster}`,
        async () => {
          const { metadata, spec, status } = await apps.readNamespacedDeployment({
            name: track,
            namespace,
          });
          const counts = [status?.updatedReplicas, status?.availableReplicas, status?.replicas];
          if (
            status?.observedGeneration !== metadata?.generation ||
            counts.some((count) => count !== spec?.replicas)
          ) {
            throw new Error(JSON.stringify(status));
          }
        },
        { timeoutMs: 120_000, everyMs: 500 },
      );
    }
  }

  /** Has a Deployment removed in every cluster, and waits until no pod of it is left. */
  async undeploy(track: Track): Promise<void> {
    const { namespace } = this.#team;
    for (const { apps } of clusters) {
      await apps.deleteNamespacedDeployment({ name: track, namespace });
    }
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

  /** Everything of the team's in a cluster: namespace, Service, Deployments and pods that do not end. */
  async objects({ core, apps }: ClusterClient): Promise<readonly KubernetesObject[]> {
    const { namespace, service: name } = this.#team;
    const { items: pods } = await core.listNamespacedPod({ namespace });
    const { items: deployments } = await apps.listNamespacedDeployment({ namespace });
    return [
      await core.readNamespace({ name: namespace }),
      await core.readNamespacedService({ name, namespace }),
      ...deployments,
      ...pods.filter(({ metadata }) => !metadata?.deletionTimestamp),
    ];
  }

  /** Everything of theirs by its identity: what is replaced or restarted gets another one. */
  async identities(): Promise<string[]> {
    const all = await Promise.all(
      clusters.map(async (cluster) =>
        (await this.objects(cluster)).map(
          ({ metadata }) => `${cluster.name} ${metadata?.name ?? ""} ${metadata?.uid ?? ""}`,
        ),
      ),
    );
    return all.flat().sort();
  }

  /** Removes the namespace in every cluster, and waits until it is gone. */
  async remove(): Promise<void> {
    const { namespace } = this.#team;
    for (const { core, name: cluster } of clusters) {
      try {
        await core.deleteNamespace({ name: namespace });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      await until(
        `namespace ${namespace} of ${cluster} to be gone`,
        async () => {
          const { items } = await core.listNamespace({
            fieldSelector: `metadata.name=${namespace}`,
          });
          if (items.length > 0) throw new Error("not yet");
        },
        { timeoutMs: 120_000, everyMs: 500 },
      );
    }
  }
}

/** Something that is done again and again, as by a controller, until it is stopped. */
export class Controller {
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #rounds = 0;

  constructor(round: () => Promise<void>) {
    this.#running = this.#run(round);
    // Whoever stops it is told.
    this.#running.catch(() => undefined);
  }

  async #run(round: () => Promise<void>): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await round();
      this.#rounds += 1;
      await setTimeout(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits until it has done so once more, from the beginning on. */
  async nextRound(): Promise<void> {
    const before = this.#rounds;
    await until(
      "the controller's next round",
      () => {
        if (this.#rounds < before + 2) throw new Error(`it has done ${this.#rounds - before}`);
      },
      { timeoutMs: 30_000 },
    );
  }

  /** @throws what a round has failed with */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }
}

/** Waits until each client has many answers from a moment on, and tells the versions that have given them. */
export async function versionsSince(
  load: readonly LoadClient[],
  since: number,
  count = 100,
): Promise<readonly (readonly string[])[]> {
  const answered = () =>
    load.map(({ answers }) => {
      const own = answers.filter(({ at, version }) => at > since && version !== undefined);
      return { count: own.length, versions: new Set(own.map(({ version }) => version ?? "")) };
    });
  await until(
    `${count} more answers of every client`,
    () => {
      const few = answered().find((each) => each.count < count);
      if (few) throw new Error(`one has ${few.count}`);
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
  return answered().map(({ versions }) => [...versions].sort());
}
