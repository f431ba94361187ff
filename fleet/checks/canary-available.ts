import type { V1Deployment } from "@kubernetes/client-node";
import { podsFor } from "../../lib/capacity.ts";
import { weightIn } from "../../lib/release-rules.ts";
import { workloadName } from "../../lib/version-name.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { isNotFound } from "../explain.ts";
import { findAutoscaler } from "../find-autoscaler.ts";
import type { Canary, Check, Finding } from "./check.ts";

/** Pods that a canary must have, and why. */
interface Least {
  readonly pods: number;
  /** As in "for 30 % of the requests, of which all take 50 of stable". */
  readonly why: string;
}

function leastOf(all: number | undefined, weight: number, capacity: number): Least {
  return all === undefined || weight === 0
    ? { pods: 1, why: "" }
    : {
        pods: Math.max(1, podsFor(all, weight, capacity)),
        why: ` that ${weight} % of the requests need: stable has ${all} for all of them, and safety.capacity is ${capacity}`,
      };
}

/** What speaks against more requests for a canary whose Deployment wants fewer pods than they take. */
async function smallFindings(
  cluster: ClusterClient,
  at: { readonly name: string; readonly namespace: string },
  available: number,
  least: Least,
): Promise<readonly Finding[]> {
  const { name, namespace } = at;
  const seen = `${available} of ${least.pods} pods of Deployment ${namespace}/${name} are available${least.why}`;
  const autoscaler = await findAutoscaler(cluster, at);
  if (!autoscaler) {
    return [
      {
        seen,
        fix: `Raise the canary's replicas. If it was scaled down by hand: kubectl -n ${namespace} scale deployment ${name} --replicas=${least.pods}, or the number that is configured.`,
        mayHeal: false,
      },
    ];
  }
  if (autoscaler.max < least.pods) {
    return [
      {
        seen: `${seen}; HorizontalPodAutoscaler ${autoscaler.name} makes at most ${autoscaler.max}`,
        fix: "Raise its maximum: autoscaling.max of the service, if the program has made it.",
        mayHeal: false,
      },
    ];
  }
  // One that adds pods under load alone must not wait for pods that only the load brings.
  return autoscaler.min < least.pods && available > 0
    ? []
    : [
        {
          seen: `${seen}; HorizontalPodAutoscaler ${autoscaler.name} keeps at least ${autoscaler.min}`,
          fix: `See kubectl -n ${namespace} describe horizontalpodautoscaler ${autoscaler.name}.`,
          mayHeal: true,
        },
      ];
}

async function deploymentOf(
  cluster: ClusterClient,
  at: { readonly name: string; readonly namespace: string },
): Promise<V1Deployment | undefined> {
  try {
    return await cluster.apps.readNamespacedDeployment(at);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function findingsOf(
  cluster: ClusterClient,
  { service, namespace, canary, existing, needed }: Canary,
  weight: number,
  capacity: number,
): Promise<readonly Finding[]> {
  // How many an existing service wants is its owner's concern: see existing-versions.ts.
  if (existing) return [];
  const name = workloadName(service, canary);
  const fix = `See kubectl -n ${namespace} describe deployment ${name}, and fix the pods that do not start.`;
  const deployment = await deploymentOf(cluster, { name, namespace });
  if (!deployment) {
    return [{ seen: `there is no Deployment ${namespace}/${name}`, fix, mayHeal: false }];
  }
  // An autoscaler, or somebody, may have changed what is configured.
  const own = deployment.spec?.replicas ?? 1;
  const available = deployment.status?.availableReplicas ?? 0;
  const least = leastOf(needed?.get(cluster.name), weight, capacity);
  if (own < least.pods) return smallFindings(cluster, { name, namespace }, available, least);
  return available >= own
    ? []
    : [
        {
          seen: `${available} of ${own} pods of Deployment ${namespace}/${name} are available`,
          fix,
          mayHeal: true,
        },
      ];
}

/** The canary must be able to take the requests that it is about to get. */
export const canaryAvailable: Check = {
  name: "the canary's pods are available",
  run: async ({ cluster, canaries, rises, limits }) => {
    // The followers of a chain get what its entries mark.
    const weight = Math.max(0, ...rises.map((rise) => weightIn(rise, cluster.name)));
    const findings = await Promise.all(
      canaries.map((canary) => findingsOf(cluster, canary, weight, limits.capacity)),
    );
    return findings.flat();
  },
};
