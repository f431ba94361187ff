import type { MeshCluster } from "../../fleet/cluster.ts";
import type { PreviewStep, PulumiCli } from "../pulumi.ts";
import { confirmWeights, measureShares, type ClusterWeights, type Share } from "./measure.ts";
import type { LoadClient } from "./load.ts";

/** One weight, from the change of the config to what clients were served. */
export interface PhaseReport {
  readonly weight: number;
  readonly previewSeconds: number;
  readonly upSeconds: number;
  /** What the preview announced, as `operation type name`. */
  readonly announced: readonly string[];
  readonly clusters: readonly ClusterWeights[];
  /** Time from the moment the first cluster had switched all its Envoys to the moment the last one had. */
  readonly spreadMilliseconds: number;
  readonly shares: readonly Share[];
  /** Requests that failed since the phase began, and why, over all clients. */
  readonly failures: readonly string[];
  /** What is wrong; empty if all is well. */
  readonly problems: readonly string[];
}

const VIRTUAL_SERVICE = "networking.istio.io/v1:VirtualService";

function describe({ op, urn }: PreviewStep): string {
  const [type = "", name = ""] = urn.split("::").slice(2);
  return `${op} ${type.split("$").at(-1) ?? ""} ${name}`;
}

/** A weight change may touch one VirtualService in each cluster and nothing else. */
function previewProblems(steps: readonly PreviewStep[], clusters: number): string[] {
  const wanted = ({ op, urn }: PreviewStep): boolean =>
    op === "update" && urn.includes(VIRTUAL_SERVICE);
  const problems = steps
    .filter((step) => !wanted(step))
    .map((step) => `the preview announces more than weights: ${describe(step)}`);
  const changed = steps.filter(wanted).length;
  if (changed !== clusters) {
    problems.push(`the preview changes ${changed} VirtualServices for ${clusters} clusters`);
  }
  return problems;
}

function weightProblems(clusters: readonly ClusterWeights[], weight: number): string[] {
  return clusters
    .filter(({ config, apiServer }) => config !== weight || apiServer !== weight)
    .map(
      ({ cluster, config, apiServer }) =>
        `${cluster} has weight ${config} in the config and ${apiServer} in its API server, not ${weight}`,
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

/** Brings every cluster to a weight by `pulumi preview` and `pulumi up`, and measures what is served. */
export async function runPhase(
  weight: number,
  pulumi: PulumiCli,
  clusters: readonly MeshCluster[],
  clients: readonly LoadClient[],
): Promise<PhaseReport> {
  const started = Date.now();
  await pulumi.setWeight(weight);
  const preview = await pulumi.preview();
  const up = await pulumi.up(`user-service canary at ${weight} %`);
  const weights = await confirmWeights(clusters, await pulumi.weight());
  const switched = weights.map(({ switchedAt }) => switchedAt.getTime());
  const shares = await measureShares(clients, new Date(Math.max(...switched)), weight);
  const failures = clients.flatMap(({ name, answers }) =>
    answers.flatMap(({ at, failure }) =>
      failure !== undefined && at >= started ? [`${name}: ${failure}`] : [],
    ),
  );
  return {
    weight,
    previewSeconds: preview.seconds,
    upSeconds: up.seconds,
    announced: preview.value.map(describe),
    clusters: weights,
    spreadMilliseconds: Math.max(...switched) - Math.min(...switched),
    shares,
    failures,
    problems: [
      ...previewProblems(preview.value, clusters.length),
      ...weightProblems(weights, weight),
      ...shareProblems(shares, weight),
      ...failures.map((failure) => `a request failed ${failure}`),
    ],
  };
}
