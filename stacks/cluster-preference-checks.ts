import { isSplit } from "../lib/ports.ts";
import type { Problem } from "../lib/problems.ts";
import type { Service } from "./schema.ts";
import { portsOf } from "./workload.ts";

/** The first version of Istio whose DestinationRules have `http2KeepAlive`. */
const PINGS_SINCE = [1, 31] as const;

function hasPings(istioVersion: string): boolean {
  const [major = 0, minor = 0] = istioVersion.split(".").map(Number);
  return major > PINGS_SINCE[0] || (major === PINGS_SINCE[0] && minor >= PINGS_SINCE[1]);
}

/**
 * Rules for services that say which clusters come first.
 *
 * @param istioVersions those of the clusters, as far as they are known
 */
export function clusterPreferenceProblems(
  services: readonly Service[],
  istioVersions: readonly string[],
): Problem[] {
  return services.flatMap((service, i) => {
    const { clusterPreference: value, trafficPolicy, stable, canary } = service;
    if (value === undefined) return [];
    const policies = {
      "": trafficPolicy,
      "stable.": stable.trafficPolicy,
      "canary.": canary?.trafficPolicy,
    };
    const old = istioVersions.find((version) => !hasPings(version));
    const isPinged = (portsOf(service) ?? []).some(
      (port) => isSplit(port) && port.protocol !== "http",
    );
    return [
      ...Object.entries(policies).flatMap(([of, policy]) =>
        policy?.loadBalancer?.localityLbSetting === undefined
          ? []
          : [
              {
                path: `services[${i}].${of}trafficPolicy.loadBalancer.localityLbSetting`,
                value: policy.loadBalancer.localityLbSetting,
                rule: `must be left out with clusterPreference: ${value}, which decides the same`,
                fix: "Remove one of them.",
              },
            ],
      ),
      ...(isPinged && old !== undefined
        ? [
            {
              path: `services[${i}].clusterPreference`,
              value,
              rule: `must be left out of a service with http2 or grpc ports before Istio ${PINGS_SINCE.join(".")}, but the clusters have ${old}: older versions cannot ping such connections, and a dead one would take all requests`,
              fix: "Upgrade Istio first, or remove clusterPreference.",
            },
          ]
        : []),
    ];
  });
}
