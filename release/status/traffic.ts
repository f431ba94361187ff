import { serviceKey } from "../../lib/names.ts";
import type { Gates } from "../../stacks/schema.ts";
import { withTargets, type Metrics } from "../gates/counters.ts";
import {
  type Counted,
  calledAs,
  countCalls,
  countRequests,
  latencyQuantile,
} from "../gates/queries.ts";
import type { Judged } from "../../lib/judged.ts";

/** A stretch of time in which requests are counted. */
export interface Period {
  /** When it begins, as ISO 8601. */
  readonly since: string;
  /** When it ends, in milliseconds since 1970. */
  readonly until: number;
  /** Its length; 0 if it has not begun. */
  readonly seconds: number;
}

/** What one version has answered in one cluster. */
export interface VersionTraffic {
  /** The service, as `namespace/service`. */
  readonly service: string;
  readonly version: string;
  readonly requests: number;
  /** Percent of the service's requests in this cluster. @default there were none */
  readonly share?: number;
  /** Percent of the version's requests that failed: 5xx, or a gRPC status that says so. @default there were none */
  readonly errors?: number;
  /** Quantiles of its latency, in milliseconds. @default there were none */
  readonly p50?: number;
  readonly p99?: number;
}

/** What the clients and gateways of one cluster have got when they called a service. */
export interface CallTraffic {
  /** The service, as `namespace/service`. */
  readonly service: string;
  readonly requests: number;
  /** How many of them no pod has answered. */
  readonly unreached: number;
  /** How many of those had which of Envoy's response flags. */
  readonly flags: Readonly<Record<string, number>>;
}

/** What is counted of a service in one cluster. */
function countedOf(cluster: string, judged: Judged, { until, seconds }: Period): Counted {
  const { service, namespace, host, otherHosts } = judged;
  return { cluster, service, namespace, host, otherHosts, until: new Date(until), seconds };
}

/**
 * What the clients of one cluster have got from the services, as they have seen it.
 *
 * @throws if its Prometheus does not answer
 */
export async function callsIn(
  cluster: string,
  metrics: Metrics,
  services: readonly Judged[],
  period: Period,
): Promise<readonly CallTraffic[]> {
  if (period.seconds === 0) return [];
  return Promise.all(
    services.map(async (judged): Promise<CallTraffic> => {
      const asked = countedOf(cluster, judged, period);
      const counted = await withTargets(metrics, asked, calledAs(judged));
      const { all, unreached, flags } = await countCalls(metrics, counted, judged);
      return { service: serviceKey(judged), requests: all, unreached, flags };
    }),
  );
}

/**
 * What the versions of the services have answered in one cluster.
 *
 * @throws if its Prometheus does not answer
 */
export async function trafficIn(
  cluster: string,
  metrics: Metrics,
  services: readonly Judged[],
  period: Period,
  gates: Gates,
): Promise<readonly VersionTraffic[]> {
  if (period.seconds === 0) return [];
  const found = await Promise.all(
    services.map(async (judged) => {
      const { service, namespace, stable, canary } = judged;
      const asked = countedOf(cluster, judged, period);
      const counted = await withTargets(metrics, asked, calledAs(judged));
      const versions = [stable, canary];
      const [counts, p50, p99] = await Promise.all([
        countRequests(metrics, counted, versions, gates.latency.within),
        latencyQuantile(metrics, counted, 0.5),
        latencyQuantile(metrics, counted, 0.99),
      ]);
      const of = (version: string) => counts.versions[version]?.failed ?? { hits: 0, trials: 0 };
      const all = versions.reduce((sum, version) => sum + of(version).trials, 0);
      return versions.map((version): VersionTraffic => {
        const { hits, trials } = of(version);
        const [median, tail] = [p50[version], p99[version]];
        return {
          service: serviceKey({ service, namespace }),
          version,
          requests: trials,
          ...(all > 0 && { share: (100 * trials) / all }),
          ...(trials > 0 && { errors: (100 * hits) / trials }),
          ...(median !== undefined && { p50: median }),
          ...(tail !== undefined && { p99: tail }),
        };
      });
    }),
  );
  return found.flat();
}
