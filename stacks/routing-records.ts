import { hostname, userInfo } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { recordRouting } from "../fleet/records/routing-records.ts";
import type { RoutingScope } from "../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { namedClusters } from "./named-clusters.ts";
import { routingDigest } from "./routing-digest.ts";
import { durationMs } from "./schema.ts";

/** Where CI systems say for whom they run. */
const ACTORS = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BITBUCKET_STEP_TRIGGERER_UUID", "BUILD_USER"];

/** Who runs this: the person the CI system names, or the user of the machine. */
export function whoRuns(environment: NodeJS.ProcessEnv = process.env): string {
  const actor = ACTORS.map((name) => environment[name]).find(Boolean);
  return actor ?? `${userInfo().username}@${hostname()}`;
}

/** How a service is routed in one of the stack's clusters. */
export function scopeIn(
  settings: ReleaseSettings,
  { name, namespace, ingressHosts, ingressPaths, othersPaths }: ServiceSettings,
  cluster: string,
): RoutingScope {
  return clusterRouting.scope(
    { service: name, namespace },
    settings.mesh.clusterDomain,
    namedClusters(settings, cluster),
    ingressHosts,
    (ingressPaths ?? othersPaths) !== undefined,
  );
}

/**
 * Keeps, in each cluster, records of what each state of the configuration has led to, by which a
 * rollback proves that it has come back to it.
 */
export class RoutingRecords {
  readonly #settings: ReleaseSettings;
  readonly #clusters: readonly ClusterClient[];

  constructor(settings: ReleaseSettings) {
    this.#settings = settings;
    this.#clusters = settings.clusters.map(
      ({ name, context, kubeconfig }) => new ClusterClient({ name, context, kubeconfig }),
    );
  }

  /** What has to happen after Pulumi's update of a cluster's VirtualService. */
  hooks(cluster: string, service: ServiceSettings): pulumi.ResourceHookBinding {
    const hook = () => this.#record(cluster, service);
    return { afterCreate: [hook], afterUpdate: [hook] };
  }

  /** The update has succeeded by now; that it cannot be recorded does not undo it. */
  async #record(name: string, service: ServiceSettings): Promise<void> {
    const cluster = this.#clusters.find((each) => each.name === name);
    if (!cluster) throw new Error(`there is no cluster ${name}`);
    try {
      await recordRouting(
        cluster,
        scopeIn(this.#settings, service, name),
        { digest: routingDigest(this.#settings, service, name), by: whoRuns() },
        durationMs(this.#settings.safety.confirmWithin),
      );
    } catch (error) {
      await pulumi.log.warn(
        `${name}: what ${service.namespace}/${service.name} serves now is not recorded, so a rollback to this state cannot be compared with it: ${explain(error)}`,
      );
    }
  }
}

/** Joins what has to happen around an update of one resource, in this order. */
export function joinHooks(
  ...bindings: readonly (pulumi.ResourceHookBinding | undefined)[]
): pulumi.ResourceHookBinding {
  const all = bindings.flatMap((binding) => Object.entries(binding ?? {}));
  return Object.fromEntries(
    [...Map.groupBy(all, ([kind]) => kind)].map(([kind, hooks]) => [
      kind,
      hooks.flatMap(([, own]) => own as unknown[]),
    ]),
  );
}
