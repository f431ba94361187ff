import { serviceKey } from "../../lib/names.ts";
import type { Gates } from "../../stacks/schema.ts";
import { withTargets, type Metrics } from "../gates/counters.ts";
import { answeredBy, countRequests, latencyQuantile } from "../gates/queries.ts";
import type { Judged } from "../gates/readings.ts";

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
  /** Percent of the version's requests with 5xx. @default there were none */
  readonly errors?: number;
  /** Quantiles of its latency, in milliseconds. @default there were none */
  readonly p50?: number;
  readonly p99?: number;
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
  { until, seconds }: Period,
  gates: Gates,
): Promise<readonly VersionTraffic[]> {
  if (seconds === 0) return [];
  const found = await Promise.all(
    services.map(async ({ service, namespace, host, stable, canary }) => {
      const asked = { cluster, service, namespace, host, until: new Date(until), seconds };
      const counted = await withTargets(metrics, asked, answeredBy(asked));
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
