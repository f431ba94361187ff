import { isNotFound } from "../explain.ts";
import type { Check } from "./check.ts";

/** The canary must be able to take the requests that it is about to get. */
export const canaryAvailable: Check = {
  name: "the canary's pods are available",
  run: async ({ cluster, canaries }) => {
    const findings = await Promise.all(
      canaries.map(async ({ service, namespace, canary, replicas }) => {
        const name = `${service}-${canary}`;
        const available = await cluster.apps
          .readNamespacedDeployment({ name, namespace })
          .then(({ status }) => status?.availableReplicas ?? 0)
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          });
        if (available !== undefined && available >= replicas) return [];
        return [
          {
            seen:
              available === undefined
                ? `there is no Deployment ${namespace}/${name}`
                : `${available} of ${replicas} pods of Deployment ${namespace}/${name} are available`,
            fix: `See kubectl -n ${namespace} describe deployment ${name}; kubectl scale, or pulumi up --refresh, brings its pods back.`,
          },
        ];
      }),
    );
    return findings.flat();
  },
};
