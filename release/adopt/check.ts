import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { readDeployed } from "../../fleet/read-deployed.ts";
import { serviceKey } from "../../lib/names.ts";
import type { Problem } from "../../lib/problems.ts";
import { AdoptedObjects } from "../../stacks/adopted-objects.ts";
import type { ReleaseSettings } from "../../stacks/config.ts";
import { existingFindings } from "../../stacks/existing-workloads.ts";
import { problemsOf } from "../../stacks/issues.ts";
import { planRelease } from "../../stacks/release-plan.ts";
import { schema, type Service } from "../../stacks/schema.ts";
import type { OneStack, Proposal, Refusal } from "./proposal.ts";

/** What an update would say of the services. */
export interface Checked {
  readonly taken: readonly Proposal[];
  readonly refusals: readonly Refusal[];
  /** What does not keep it, as text, by `namespace/name`. */
  readonly warnings: ReadonlyMap<string, readonly string[]>;
}

/** Phases of a release, with one of them in which it is. */
export function phasesWith(weight: number): readonly number[] {
  return [...new Set([10, 30, 100, ...(weight > 0 ? [weight] : [])])].sort((a, b) => a - b);
}

/** The proposals as settings, or what is wrong with one. */
function parsed(proposal: Proposal): Service | readonly Problem[] {
  const result = schema.services.safeParse([proposal.entry]);
  if (result.success && result.data[0]) return result.data[0];
  return (result.error?.issues ?? []).flatMap((issue) =>
    problemsOf("services", [proposal.entry], issue),
  );
}

/** A problem without the place in a file that is not written. */
function reasonOf({ path, rule, fix }: Problem): string {
  const key = path.replace(/^services\[\d+\]\.?/, "");
  return `${key === "" ? "it" : key} ${rule}. ${fix}`;
}

/**
 * Lets the checks of an update look at the proposals: what it would refuse is not taken.
 *
 * @param clusterDomain domain of Kubernetes Services
 * @throws if a cluster does not answer
 */
export async function checked(
  { taken: proposals, weight, gateway }: OneStack,
  clusters: readonly ClusterClient[],
  clusterDomain: string,
): Promise<Checked> {
  const refusals: Refusal[] = [];
  const valid = proposals.flatMap((proposal) => {
    const service = parsed(proposal);
    if ("name" in service) return [{ proposal, service }];
    refusals.push({ key: serviceKey(proposal), reasons: service.map(reasonOf) });
    return [];
  });
  const settings: ReleaseSettings = {
    mesh: { clusterDomain, trustDomain: "cluster.local", env: "production" },
    clusters: clusters.map(({ name }) => ({ name, context: name })),
    services: valid.map(({ service }) => ({
      ...service,
      ingressHosts: service.ingressHosts ?? [],
    })),
    chain: undefined,
    ingressGateway: gateway,
    phases: phasesWith(weight),
    weight,
    allow: [],
    quarantine: [],
    away: [],
    safety: schema.safety.parse(undefined),
    ownPrometheus: false,
    prometheus: {},
    rollout: schema.rollout.parse(undefined),
    secrets: {},
    secretsKey: undefined,
  };
  const deployed = await readDeployed(clusters, proposals);
  for (const { name, unreachable } of deployed) {
    if (unreachable !== undefined) throw new Error(`${name} cannot be read: ${unreachable}`);
  }
  const plan = planRelease(settings, deployed);
  const adopted = await AdoptedObjects.find(settings, clusters, deployed, plan);
  const { problems, warnings } = await existingFindings(
    settings,
    clusters,
    deployed,
    plan,
    adopted,
  );
  const about = (all: readonly Problem[], i: number) =>
    all.filter(({ path }) => path.startsWith(`services[${i}]`)).map(reasonOf);
  const reasons = valid.map((_, i) => [
    ...new Set([...about(plan.problems, i), ...about(problems, i)]),
  ]);
  valid.forEach(({ proposal }, i) => {
    const own = reasons[i] ?? [];
    if (own.length > 0) refusals.push({ key: serviceKey(proposal), reasons: own });
  });
  const taken = valid.flatMap(({ proposal }, i) => (reasons[i]?.length === 0 ? [proposal] : []));
  return {
    taken,
    refusals,
    warnings: new Map(valid.map(({ proposal }, i) => [serviceKey(proposal), about(warnings, i)])),
  };
}
