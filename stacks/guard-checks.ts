import { PROMETHEUS, PROMETHEUS_PORT } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";
import type { ClusterAccess } from "./config.ts";
import type { Guard, PrometheusAccess } from "./schema.ts";

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

/** Where the guards find metrics. */
interface Monitoring {
  /** Namespace of the mesh's own Prometheus in each cluster. @default it has none, or does not say */
  readonly own: string | undefined;
  /** How the release command reaches each cluster's Prometheus, by the cluster's name. */
  readonly access: Readonly<Record<string, PrometheusAccess>>;
}

/** Keys that a guard, which has no credentials for a Prometheus, cannot do without. */
function loginKeys({ bearerToken, basicAuth, tokenCommand, headers, tls }: PrometheusAccess) {
  return Object.entries({ bearerToken, basicAuth, tokenCommand, headers, tls }).flatMap(
    ([key, value]) =>
      value === undefined ||
      (typeof value === "object" && Object.values(value).every((each) => each === undefined))
        ? []
        : [key],
  );
}

/**
 * What the guards go by; what is missing for it goes to `problems`.
 *
 * @param servers of the clusters, in their order
 */
export function guardSettings(
  guard: Guard | undefined,
  clusters: readonly ClusterAccess[],
  servers: readonly (ApiServer | undefined)[],
  { own, access }: Monitoring,
  problems: Problem[],
): GuardSettings | undefined {
  if (!guard) return undefined;
  const installed =
    own === undefined ? undefined : `http://${PROMETHEUS}.${own}.svc:${PROMETHEUS_PORT}`;
  const known = clusters.flatMap(({ name, prometheus: url }, i) => {
    const server = servers[i];
    const { service } = access[name] ?? {};
    const prometheus = service
      ? `http://${service.name}.${service.namespace}.svc:${service.port}${service.path}`
      : (url ?? installed);
    const keys = access[name] ? loginKeys(access[name]) : [];
    if (keys.length > 0) {
      problems.push({
        path: `prometheus.${name}`,
        rule: `must have no ${keys.join(", ")} while there is a guard, which has no credentials for a Prometheus`,
        fix: `Let pods of ${name} read a Prometheus without them, or leave out guard.`,
      });
    }
    if (prometheus === undefined) {
      problems.push({
        path: "guard",
        rule: `must be left out while the config does not say where the guard of ${name} reads metrics`,
        fix: `Set prometheus.${name}.service to a Service; or, in the mesh stack, prometheus of cluster ${name} to a URL that its pods reach, or monitoring.mode to prometheus, and run pulumi up there.`,
      });
    }
    return server && prometheus !== undefined ? [{ name, server, prometheus }] : [];
  });
  return { ...guard, clusters: known };
}
