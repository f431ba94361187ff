import { isNotFound } from "../explain.ts";
import type { Check } from "./check.ts";

/** The canary must be able to take the requests that it is about to get. */
export const canaryAvailable: Check = {
  name: "the canary's pods are available",
  run: async ({ cluster, canaries }) => {
    const findings = await Promise.all(
      canaries.map(async ({ service, namespace, canary, replicas }) => {
        // How many an existing service wants is its owner's concern: see existing-versions.ts.
        if (replicas === undefined) return [];
        const name = `${service}-${canary}`;
        const deployment = await cluster.apps
          .readNamespacedDeployment({ name, namespace })
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          });
        const available = deployment?.status?.availableReplicas ?? 0;
        if (deployment && available >= replicas) return [];
        return [
          {
            seen:
              deployment === undefined
                ? `there is no Deployment ${namespace}/${name}`
                : `${available} of ${replicas} pods of Deployment ${namespace}/${name} are available`,
            fix: `See kubectl -n ${namespace} describe deployment ${name}, and fix the pods that do not start. If it was scaled down by hand, kubectl scale or pulumi up --refresh brings its pods back.`,
            // Pods that nobody has asked for do not come by themselves.
            mayHeal: (deployment?.spec?.replicas ?? 0) >= replicas,
          },
        ];
      }),
    );
    return findings.flat();
  },
};
