import { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { readRecord, type RoutingRecord } from "../fleet/records/routing-records.ts";
import type { LiveRouting, RoutingScope } from "../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import { routingDifferences } from "../lib/routing/differences.ts";
import { until } from "../lib/until.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { routingDigest } from "../stacks/routing-digest.ts";
import { scopeIn } from "../stacks/routing-records.ts";

/** What a service's routing in one cluster is to be again. */
export interface Expectation {
  readonly cluster: ClusterClient;
  readonly scope: RoutingScope;
  /** @default there is none: see `missing` */
  readonly record: RoutingRecord | undefined;
  readonly missing: string;
}

/**
 * Reads the records of a state. To be done before the update that leads back to it, which would
 * record what it makes itself.
 */
export async function expectationsOf(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<readonly Expectation[]> {
  return Promise.all(
    clusters.flatMap((cluster) =>
      settings.services.map(async (service) => {
        const scope = scopeIn(settings, service, cluster.name);
        try {
          const record = await readRecord(
            cluster,
            scope,
            routingDigest(settings, service, cluster.name),
          );
          return { cluster, scope, record, missing: "it was not recorded" };
        } catch (error) {
          return { cluster, scope, record: undefined, missing: explain(error) };
        }
      }),
    ),
  );
}

/** What came of a comparison, as lines for a person. */
export interface Comparison {
  readonly same: boolean;
  readonly lines: readonly string[];
}

/** What one cluster has beside what is recorded. */
interface Inspection {
  readonly live: LiveRouting;
  /** Where it differs from the record, a line each. */
  readonly differences: readonly string[];
  /** Objects of others that route the service too, a line each. */
  readonly strays: readonly string[];
}

/**
 * Reads what one cluster has, after waiting for it to be as recorded for a bounded time: a weight that
 * has just changed reaches the Envoys a moment later.
 */
export async function inspect(
  { cluster, scope, record }: Expectation,
  timeoutMs: number,
): Promise<Inspection> {
  let last: Inspection | undefined;
  try {
    return await until(
      `the routing of ${cluster.name} to be as recorded`,
      async () => {
        const live = await clusterRouting.readAll(cluster, scope);
        const differences = record ? routingDifferences(record, live) : [];
        const strays = live.strays.map(
          (stray) =>
            `${stray} also routes a host of this service but does not belong to the release: remove it`,
        );
        last = { live, differences, strays };
        if (differences.length > 0) throw new Error(differences.join("\n"));
        return last;
      },
      { timeoutMs, everyMs: 500 },
    );
  } catch (error) {
    if (!last) throw error;
    return last;
  }
}

/** Compares what one cluster has with what is recorded, and looks for what nobody has recorded. */
export async function compare(expectation: Expectation, timeoutMs: number): Promise<Comparison> {
  const { cluster, scope, record, missing } = expectation;
  const { live, differences, strays } = await inspect(expectation, timeoutMs);
  const what = `${scope.namespace}/${scope.service} in ${cluster.name}`;
  const count = `${Object.keys(live.objects).length} objects, ${live.envoyCount} Envoys`;
  const head = !record
    ? `${what}: no record of this state to compare with (${missing})`
    : differences.length === 0
      ? `${what}: as recorded at ${record.at} by ${record.by}: ${count}`
      : `${what}: not as recorded at ${record.at} by ${record.by}:`;
  return {
    same: differences.length + strays.length === 0,
    lines: [head, ...[...differences, ...strays].map((line) => ` - ${line}`)],
  };
}
