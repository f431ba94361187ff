import type { ClusterClient } from "../fleet/cluster-client.ts";
import {
  ownPrometheus,
  servicePrometheus,
  urlPrometheus,
  type PrometheusApi,
} from "../fleet/prometheus-api.ts";
import { Prometheus } from "../fleet/prometheus.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { BUILT_IN_GATES } from "../stacks/schema/gates.ts";
import { clustersOf } from "./clusters.ts";
import { gatesOf, needsMetrics } from "./gates/verdict.ts";
import { Journal } from "./journal.ts";
import { Observer } from "./observer.ts";
import { decides } from "./planner.ts";
import { judgedServices, settingsOf } from "./release-settings.ts";
import { ReleaseStack } from "./stack.ts";

/** A stack has nothing to release. */
export class NoCanary extends Error {}

/** A release that a verb works on. */
export interface OpenRelease {
  readonly stack: ReleaseStack;
  readonly settings: ReleaseSettings;
  readonly clusters: readonly ClusterClient[];
  /** Each cluster's Prometheus, where there is one. */
  readonly metrics: ReadonlyMap<string, Prometheus>;
  readonly journal: Journal;
  readonly observer: Observer;
}

/** @throws if there is no such stack, its configuration is invalid, or no service has a canary */
export async function openRelease(stackName: string): Promise<OpenRelease> {
  const stack = await ReleaseStack.open(stackName);
  const settings = settingsOf(stack);
  const judged = judgedServices(settings);
  if (judged.length === 0) {
    throw new NoCanary(
      `No service of stack ${stackName} has a canary: add services[].canary, and run pulumi up with weight 0.`,
    );
  }
  const clusters = clustersOf(settings);
  const metrics = new Map(
    clusters.flatMap((cluster) => {
      const api = prometheusOf(settings, cluster);
      return api ? [[cluster.name, new Prometheus(cluster, api)] as const] : [];
    }),
  );
  const journal = new Journal(
    clusters,
    judged.map(({ namespace }) => namespace),
  );
  return {
    stack,
    settings,
    clusters,
    metrics,
    journal,
    observer: new Observer(settings, clusters, metrics, journal),
  };
}

/** The way to a cluster's Prometheus, if it has one. */
function prometheusOf(
  { clusters, prometheus, ownPrometheus: own }: ReleaseSettings,
  cluster: ClusterClient,
): PrometheusApi | undefined {
  const { name } = cluster;
  const { url, service, ...credentials } = prometheus[name] ?? {};
  if (service) return servicePrometheus(cluster, service, credentials);
  const at = url ?? clusters.find((each) => each.name === name)?.prometheus;
  if (at !== undefined) return urlPrometheus(name, at, credentials);
  return own ? ownPrometheus(cluster) : undefined;
}

/** @throws naming the clusters whose metrics no gate could read, if any gate has a say */
export function requireMetrics({ settings, clusters, metrics }: OpenRelease): void {
  if (!gatesOf(settings.rollout.gates).some((gate) => decides(gate) && needsMetrics(gate))) return;
  const without = clusters.filter(({ name }) => !metrics.has(name)).map(({ name }) => name);
  if (without.length === 0) return;
  throw new Error(
    `No gate can judge the canary in ${without.join(", ")}: this command knows no Prometheus there. Set clusters[].prometheus to its URL, prometheus.<cluster>.service to a Service, or monitoring.mode to prometheus, ` +
      `or switch the gates off: rollout.gates.without: [${BUILT_IN_GATES.join(", ")}]`,
  );
}
