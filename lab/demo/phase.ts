import type { ClusterClient } from "../../fleet/cluster-client.ts";
import type { LabService } from "../mesh/service.ts";
import type { LoadClient } from "./load.ts";
import { confirmWeights, type ClusterWeights, type Share } from "./measure.ts";

/** What every place between the config and the wire has of one weight. */
export interface InForce {
  readonly weight: number;
  readonly clusters: readonly ClusterWeights[];
  /** When the last cluster had switched all its Envoys. */
  readonly switchedAt: Date;
  /** Time from the moment the first cluster had switched all its Envoys to the moment the last one had. */
  readonly spreadMilliseconds: number;
}

/** One weight, from its change to what clients were served. */
export interface PhaseReport extends InForce {
  /** From the decision to change the weight until the command had seen it in every Envoy. */
  readonly changeSeconds: number;
  readonly shares: readonly Share[];
  /** Requests that failed since the change began, and why, over all clients. */
  readonly failures: readonly string[];
  /** What is wrong; empty if all is well. */
  readonly problems: readonly string[];
}

/** Waits until every Envoy serves a service's weight. */
export async function inForce(
  clusters: readonly ClusterClient[],
  service: LabService,
  weight: number,
): Promise<InForce> {
  const weights = await confirmWeights(clusters, service, weight);
  const switched = weights.map(({ switchedAt }) => switchedAt.getTime());
  return {
    weight,
    clusters: weights,
    switchedAt: new Date(Math.max(...switched)),
    spreadMilliseconds: Math.max(...switched) - Math.min(...switched),
  };
}

function weightProblems({ clusters, weight }: InForce): string[] {
  return clusters
    .filter(({ apiServer }) => apiServer !== weight)
    .map(
      ({ cluster, apiServer }) =>
        `${cluster} has weight ${apiServer} in its API server, not ${weight}`,
    );
}

function shareProblems(shares: readonly Share[], weight: number): string[] {
  return shares
    .filter(({ ok }) => !ok)
    .map(
      ({ client, canary, answers }) =>
        `the client ${client} was served ${canary.toFixed(1)} % by the canary in ${answers} answers at weight ${weight}`,
    );
}

/**
 * Puts together what was seen of one weight.
 *
 * @param began when the change to it was decided
 * @param changed when the command had seen it in every Envoy
 */
export function phaseReport(
  served: InForce,
  shares: readonly Share[],
  clients: readonly LoadClient[],
  began: Date,
  changed: Date,
): PhaseReport {
  const failures = clients.flatMap(({ name, answers }) =>
    answers.flatMap(({ at, failure }) =>
      failure !== undefined && at >= began.getTime() ? [`${name}: ${failure}`] : [],
    ),
  );
  return {
    ...served,
    changeSeconds: (changed.getTime() - began.getTime()) / 1000,
    shares,
    failures,
    problems: [
      ...weightProblems(served),
      ...shareProblems(shares, served.weight),
      ...failures.map((failure) => `a request failed ${failure}`),
    ],
  };
}
