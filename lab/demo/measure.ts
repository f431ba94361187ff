import type { EnvoyRoutes } from "../../fleet/routing/cluster-routing.ts";
import { routesEverywhere } from "../../fleet/routing/routes-everywhere.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { routing } from "../../lib/routing/index.ts";
import { labVersions, weightInApiServer, type LabService } from "../mesh/service.ts";
import { until } from "../../lib/until.ts";
import type { Answer } from "./answers.ts";
import { contradicts, SHOWN_Z, wilson, type Interval } from "./interval.ts";
import type { LoadClient } from "./load.ts";

/** Answers that a share is computed from at least, for each client of one service. */
const SAMPLES = 400;
/** A request that was on its way when the last Envoy switched is answered within this time, in ms. */
const IN_FLIGHT_MS = 500;
/** Longest time in which every Envoy must have taken over a new weight, in ms. */
const SWITCH_TIMEOUT_MS = 30_000;

/** What one client was served. */
export interface Share {
  readonly client: string;
  readonly answers: number;
  /** The canary's share in percent, and its 99 % interval. */
  readonly canary: number;
  readonly interval: Interval;
  /** Answers by the cluster that they came from. */
  readonly from: Readonly<Record<string, number>>;
  /** Whether the share can come from the configured weight, and there are enough answers to tell. */
  readonly ok: boolean;
}

/** The weight at each place on its way to the wire, in one cluster. */
export interface ClusterWeights {
  readonly cluster: string;
  readonly weight: number;
  readonly apiServer: number;
  /** Envoys that have a route for the service, and how many of them serve the weight. */
  readonly envoys: number;
  readonly serving: number;
  /** When the cluster's last Envoy switched. */
  readonly switchedAt: Date;
}

/** A service's routes in every Envoy that has one. */
export async function serviceRoutes(
  clusters: readonly ClusterClient[],
  { host, ingressHost }: LabService,
): Promise<EnvoyRoutes[]> {
  return routesEverywhere(clusters, [host, ingressHost]);
}

/**
 * Waits until every Envoy serves a service's weight, and says what each place of each cluster has.
 */
export async function confirmWeights(
  clusters: readonly ClusterClient[],
  service: LabService,
  weight: number,
): Promise<ClusterWeights[]> {
  const canaryWeight = (routes: EnvoyRoutes) => routing.shareIn(routes.weights, service.canary);
  const routes = await until(
    `every Envoy to serve weight ${weight}`,
    async () => {
      const all = await serviceRoutes(clusters, service);
      const late = all.filter((each) => canaryWeight(each) !== weight);
      if (late.length > 0) {
        throw new Error(
          late
            .map((each) => `${each.pod} of ${each.cluster} serves ${canaryWeight(each)}`)
            .join(", "),
        );
      }
      return all;
    },
    { timeoutMs: SWITCH_TIMEOUT_MS },
  );
  return Promise.all(
    clusters.map(async (cluster) => {
      const own = routes.filter((each) => each.cluster === cluster.name);
      return {
        cluster: cluster.name,
        weight,
        apiServer: await weightInApiServer(cluster, service),
        envoys: own.length,
        serving: own.filter((each) => canaryWeight(each) === weight).length,
        switchedAt: new Date(Math.max(...own.map(({ updatedAt }) => updatedAt.getTime()))),
      };
    }),
  );
}

function share(client: string, answers: readonly Answer[], weight: number, samples: number): Share {
  const served = answers.filter(({ failure }) => failure === undefined);
  const canary = served.filter(({ version }) => version === labVersions.canary).length;
  const from: Record<string, number> = {};
  for (const { cluster = "unknown" } of served) from[cluster] = (from[cluster] ?? 0) + 1;
  return {
    client,
    answers: served.length,
    canary: (100 * canary) / Math.max(1, served.length),
    interval: wilson(canary, served.length, SHOWN_Z),
    from,
    ok: served.length >= samples && !contradicts(canary, served.length, weight),
  };
}

/** The answers to requests that were routed after a moment. */
export function routedAfter(client: LoadClient, since: Date): readonly Answer[] {
  const from = since.getTime() + IN_FLIGHT_MS;
  return client.answers.filter(({ at }) => at > from);
}

/**
 * Waits for enough answers that were routed after `since`, and gives each client's share of the canary.
 *
 * @param samples answers of each client. @default as many as a share takes
 */
export async function measureShares(
  clients: readonly LoadClient[],
  since: Date,
  weight: number,
  samples: number = SAMPLES,
): Promise<Share[]> {
  const after = (client: LoadClient) => routedAfter(client, since);
  await until(
    `${samples} answers for each client`,
    () => {
      const short = clients.filter((client) => after(client).length < samples);
      if (short.length === 0) return;
      throw new Error(short.map((each) => `${each.name} has ${after(each).length}`).join(", "));
    },
    { timeoutMs: 120_000, everyMs: 250 },
  );
  return clients.map((client) => share(client.name, after(client), weight, samples));
}

/** Each client's share of the canary in all answers between two moments, when the last of them is known. */
export async function sharesBetween(
  clients: readonly LoadClient[],
  since: Date,
  end: Date,
  weight: number,
): Promise<Share[]> {
  await until(
    `every answer up to ${end.toISOString()}`,
    () => {
      const late = clients.filter(({ answers }) => (answers.at(-1)?.at ?? 0) < end.getTime());
      if (late.length > 0) throw new Error(late.map(({ name }) => name).join(", "));
    },
    { timeoutMs: SWITCH_TIMEOUT_MS, everyMs: 100 },
  );
  return clients.map((client) =>
    share(
      client.name,
      routedAfter(client, since).filter(({ at }) => at <= end.getTime()),
      weight,
      SAMPLES,
    ),
  );
}
