import { serviceKey } from "../../lib/names.ts";
import { routing } from "../../lib/routing/index.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import type { EnvoyRoutes } from "../../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../../fleet/routing/index.ts";
import { servingIn } from "../../fleet/serving.ts";
import { explain } from "../../fleet/explain.ts";
import { shareOf, type DeployedCluster, type DeployedRoute } from "../../lib/deployed.ts";
import { weightIn } from "../../lib/release-rules.ts";
import { servedIn } from "../../lib/served.ts";
import type { ReleaseSettings } from "../../stacks/config.ts";
import { whoOf } from "../../stacks/confirm-options.ts";
import type { Metrics } from "../gates/counters.ts";
import { judgedServices } from "../release-settings.ts";
import { driftIn } from "./drift.ts";
import {
  callsIn,
  trafficIn,
  type CallTraffic,
  type Period,
  type VersionTraffic,
} from "./traffic.ts";

/** How one cluster stands. */
export interface ClusterStatus {
  readonly cluster: string;
  /** Percent that the configuration gives the canaries there. */
  readonly config: number;
  readonly quarantined: boolean;
  /** Whether it is away: nobody asks it, and `weights` are those that it had when it was known last. @default false */
  readonly away?: boolean;
  /** Whether the config says that the others send it nothing. @default false */
  readonly drained?: boolean;
  /** If it is away: percent of requests by version of the services that it has with another canary, by `namespace/service`. @default none */
  readonly kept?: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined;
  /** Why it could not be read, its API server or an Envoy. @default it was read */
  readonly unreachable?: string;
  /**
   * Percent that the API server gives each canary, by `namespace/service`; a follower's is that of the
   * cluster's entries.
   */
  readonly weights: Readonly<Record<string, number>>;
  /** Envoys that route to the services, and how many of them serve those weights, and the mark of a chain. */
  readonly envoys: number;
  readonly serving: number;
  /** How many more have acknowledged them to istiod, and were not asked. @default none */
  readonly acknowledged?: number;
  /** Where it differs from the configuration, a line each. */
  readonly drift: readonly string[];
  /** Alerts that fire. @default there is no Prometheus, or it is silent */
  readonly alerts?: readonly string[];
  /** What the versions have answered. @default as for alerts */
  readonly versions?: readonly VersionTraffic[];
  /** What its clients have got, with what no pod has answered. @default as for alerts */
  readonly calls?: readonly CallTraffic[];
  /** Why its Prometheus does not answer. @default it does, or there is none */
  readonly silent?: string;
}

/** Reads one cluster. What does not answer is part of the result, not an error. */
export async function clusterStatus(
  settings: ReleaseSettings,
  cluster: ClusterClient,
  deployed: DeployedCluster,
  metrics: Metrics | undefined,
  period: Period,
): Promise<ClusterStatus> {
  const services = judgedServices(settings);
  const served = servedIn(deployed).routes;
  const weights = Object.fromEntries(
    services.flatMap((judged) => {
      const key = serviceKey(judged);
      const route = served.get(key);
      return route ? [[key, shareOf(route, judged.canary)] as const] : [];
    }),
  );
  const about = {
    cluster: cluster.name,
    config: weightIn(settings, cluster.name),
    quarantined: settings.quarantine.includes(cluster.name),
    weights,
  };
  const nothing = { envoys: 0, serving: 0, drift: [] };
  const measuring = measured(cluster.name, settings, metrics, period);
  if (deployed.unreachable !== undefined) {
    return { ...about, ...nothing, unreachable: deployed.unreachable, ...(await measuring) };
  }
  try {
    const [{ envoys, serving, acknowledged }, drift] = await Promise.all([
      servingIn(
        cluster,
        services.map(({ host }) => [host]),
        (routes, i) => {
          const judged = services[i];
          return (
            judged !== undefined &&
            serves(routes, deployed.routes.get(serviceKey(judged)), judged.canary)
          );
        },
        { askEnvoys: settings.safety.askEnvoys, who: whoOf(settings.safety) },
      ),
      driftIn(settings, cluster, deployed),
    ]);
    return {
      ...about,
      ...{ envoys, serving, drift },
      ...(acknowledged > 0 && { acknowledged }),
      ...(await measuring),
    };
  } catch (error) {
    return { ...about, ...nothing, unreachable: explain(error), ...(await measuring) };
  }
}

/** Whether an Envoy serves what the API server has: of a chain all rules, since weights say nothing of the mark. */
function serves(envoy: EnvoyRoutes, route: DeployedRoute | undefined, canary: string): boolean {
  const isAt = (weight: number) =>
    Object.values(envoy.tables).every((weights) => routing.shareIn(weights, canary) === weight);
  if (!route) return isAt(0);
  if (route.role === undefined) return isAt(shareOf(route, canary));
  const { pod, virtualHosts } = envoy;
  return clusterRouting.behind(route.rules, [{ of: [pod], virtualHosts }]).length === 0;
}

/** What the cluster's Prometheus says. */
async function measured(
  cluster: string,
  settings: ReleaseSettings,
  metrics: Metrics | undefined,
  period: Period,
): Promise<Pick<ClusterStatus, "alerts" | "versions" | "calls" | "silent">> {
  if (!metrics) return {};
  try {
    const [firing, versions, calls] = await Promise.all([
      // One Prometheus may hold the metrics of many clusters.
      metrics.query(`ALERTS{alertstate="firing",cluster=~"${cluster}|"}`),
      trafficIn(cluster, metrics, judgedServices(settings), period, settings.rollout.gates),
      callsIn(cluster, metrics, judgedServices(settings), period),
    ]);
    const alerts = new Set(firing.map(({ labels }) => labels["alertname"] ?? ""));
    return { alerts: [...alerts].sort(), versions, calls };
  } catch (error) {
    return { silent: explain(error) };
  }
}
