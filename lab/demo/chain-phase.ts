import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { chain, chainHost, chainService } from "../mesh/chain.ts";
import { contradicts } from "./interval.ts";
import { mixedWays, serviceShares, type ServiceShare } from "./chain-ways.ts";
import type { LoadClient } from "./load.ts";
import { measureShares, routedAfter, type Share } from "./measure.ts";

/** Answers of each client that are looked at; the share of all clients together is looked at too. */
const SAMPLES = 100;
/** Longest time in which every Envoy must have taken over a new weight, in ms. */
const SWITCH_TIMEOUT_MS = 30_000;

/** One weight of the chain's entry, and what clients were served by all its services. */
export interface ChainPhase {
  readonly weight: number;
  /** What each client was served by the entry. */
  readonly shares: readonly Share[];
  readonly services: readonly ServiceShare[];
  /** Ways of requests that were not served by canaries alone or by stable versions alone. */
  readonly mixed: readonly string[];
  /** Requests that failed since the change began, and why, over all clients. */
  readonly failures: readonly string[];
  /** What is wrong; empty if all is well. */
  readonly problems: readonly string[];
}

/**
 * Waits until API servers and every Envoy have the entry's weight, and every follower its 0 %.
 *
 * @returns when the last Envoy had switched
 */
export async function confirmChain(
  clusters: readonly ClusterClient[],
  weight: number,
): Promise<Date> {
  const routes = await Promise.all(
    clusters.flatMap((cluster) =>
      chain.services.map(async (service) => {
        const expected = service === chain.entry ? weight : 0;
        const route = await readRoute(cluster, chainService(service));
        if (route?.weight !== expected) {
          throw new Error(
            `${cluster.name} has ${service} at ${route?.weight ?? "no"} % in its API server, not at ${expected} %`,
          );
        }
        const hosts = [chainHost(service), ...(service === chain.entry ? [chain.ingressHost] : [])];
        const wanted = { hosts, canary: chain.canary, weight: expected };
        return confirmWeight(cluster, wanted, SWITCH_TIMEOUT_MS);
      }),
    ),
  );
  return new Date(Math.max(...routes.flat().map(({ updatedAt }) => updatedAt.getTime())));
}

function serviceProblems(
  services: readonly ServiceShare[],
  clusters: readonly ClusterClient[],
): string[] {
  const [entry] = services;
  return services.flatMap(({ service, answers, canary, from }) => [
    ...(answers === entry?.answers && canary === entry.canary
      ? []
      : [`${service} served ${canary} of ${answers} requests by its canary, unlike the entry`]),
    ...clusters
      .filter(({ name }) => from[name] === undefined)
      .map(({ name }) => `${service} served no request in ${name}`),
  ]);
}

/**
 * Measures what the chain's services serve at a weight.
 *
 * @param began when the change to it was decided
 */
export async function measureChain(
  clusters: readonly ClusterClient[],
  clients: readonly LoadClient[],
  weight: number,
  began: Date,
): Promise<ChainPhase> {
  const switchedAt = await confirmChain(clusters, weight);
  const shares = await measureShares(clients, switchedAt, weight, SAMPLES);
  const services = serviceShares(clients.flatMap((client) => routedAfter(client, switchedAt)));
  const since = (client: LoadClient) => client.answers.filter(({ at }) => at >= began.getTime());
  // Those on the way while the weight changed must not be mixed either.
  const mixed = clients.flatMap((client) =>
    mixedWays(since(client)).map((way) => `${client.name}: ${way}`),
  );
  const failures = clients.flatMap((client) =>
    since(client).flatMap(({ failure }) =>
      failure === undefined ? [] : [`${client.name}: ${failure}`],
    ),
  );
  const [entry] = services;
  return {
    ...{ weight, shares, services, mixed, failures },
    problems: [
      ...(entry && contradicts(entry.canary, entry.answers, weight)
        ? [
            `the entry's canary served ${entry.canary} of ${entry.answers} requests at weight ${weight}`,
          ]
        : []),
      ...shares
        .filter(({ ok }) => !ok)
        .map(
          ({ client, canary, answers }) =>
            `the client ${client} was served ${canary.toFixed(1)} % by the entry's canary in ${answers} answers at weight ${weight}`,
        ),
      ...serviceProblems(services, clusters),
      ...mixed.map((way) => `a request was served by versions that do not belong together: ${way}`),
      ...failures.map((failure) => `a request failed ${failure}`),
    ],
  };
}
