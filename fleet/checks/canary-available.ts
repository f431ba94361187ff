import type { V1Deployment } from "@kubernetes/client-node";
import { workloadName } from "../../lib/version-name.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { isNotFound } from "../explain.ts";
import { findAutoscaler } from "../find-autoscaler.ts";
import type { Canary, Check, Finding } from "./check.ts";
import { autoscaledFindings, leastOf, nextWeight, type Least } from "./enough-pods.ts";

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
  return autoscaledFindings(
    autoscaler,
    { seen, available, least },
    namespace,
    "Raise its maximum: autoscaling.max of the service, if the program has made it.",
  );
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
    const weight = nextWeight({ cluster, rises });
    const findings = await Promise.all(
      canaries.map((canary) => findingsOf(cluster, canary, weight, limits.capacity)),
    );
    return findings.flat();
  },
};
