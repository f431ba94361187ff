import { PROMETHEUS, PROMETHEUS_PORT } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";
import type { ClusterAccess } from "./config.ts";
import type { Guard } from "./schema.ts";

/** What the guards go by besides the release itself. */
export interface GuardSettings extends Guard {
  readonly clusters: readonly {
    readonly name: string;
    /** How the guards of the other clusters reach its API server. */
    readonly server: ApiServer;
    /** URL at which its own guard reads its metrics. */
    readonly prometheus: string;
  }[];
}

/**
 * What the guards go by; what is missing for it goes to `problems`.
 *
 * @param servers of the clusters, in their order
 * @param monitoring namespace of the mesh's own Prometheus in each cluster. @default it has none
 */
export function guardSettings(
  guard: Guard | undefined,
  clusters: readonly ClusterAccess[],
  servers: readonly (ApiServer | undefined)[],
  monitoring: string | undefined,
  problems: Problem[],
): GuardSettings | undefined {
  if (!guard) return undefined;
  const own =
    monitoring === undefined
      ? undefined
      : `http://${PROMETHEUS}.${monitoring}.svc:${PROMETHEUS_PORT}`;
  const known = clusters.flatMap(({ name, prometheus = own }, i) => {
    const server = servers[i];
    if (prometheus === undefined) {
      problems.push({
        path: "guard",
        rule: `must be left out while nobody says where the guard of ${name} reads its metrics`,
        fix: `Set prometheus of cluster ${name} to a URL that its pods reach, or monitoring.mode to prometheus, in the mesh's stack, and run pulumi up there.`,
      });
    }
    return server && prometheus !== undefined ? [{ name, server, prometheus }] : [];
  });
  return { ...guard, clusters: known };
}
