import type { Problem } from "../lib/problems.ts";
import type { Mesh, Service } from "./schema.ts";
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
 * @param mesh undefined where another stack has installed it
 */
export function clusterPreferenceProblems(
  services: readonly Service[],
  mesh: Mesh | undefined,
): Problem[] {
  return services.flatMap((service, i) => {
    const { clusterPreference: value, trafficPolicy, stable, canary } = service;
    if (value === undefined) return [];
    const policies = {
      "": trafficPolicy,
      "stable.": stable.trafficPolicy,
      "canary.": canary?.trafficPolicy,
    };
    const isPinged = (portsOf(service) ?? []).some(({ protocol }) => protocol !== "http");
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
      ...(mesh && isPinged && !hasPings(mesh.istioVersion)
        ? [
            {
              path: `services[${i}].clusterPreference`,
              value,
              rule: `must be left out of a service with http2 or grpc ports before Istio ${PINGS_SINCE.join(".")}, but mesh.istioVersion is ${mesh.istioVersion}: older versions cannot ping such connections, and a dead one would take all requests`,
              fix: "Upgrade Istio first, or remove clusterPreference.",
            },
          ]
        : []),
    ];
  });
}
