import { CONNECTION_SECONDS } from "../../gateway-drain.ts";
import { mergeValues } from "../../helm-values.ts";
import { isSplit, type ServicePort } from "../../ports.ts";
import type { ClusterPreference, Policies, TrafficPolicy } from "../routing.ts";

/**
 * What keeps a cluster that fails from costing more than the requests that are under way. (Istio: TrafficPolicy)
 *
 * - A connection that does not come about is given up long before the request is, which then goes elsewhere.
 * - Connections that wait for a request are probed, so that one to a dead gateway is gone after 3 s.
 * - Only failures to reach an endpoint eject it, not what an application answers: a bad canary stays where its gate
 *   sees it. The one endpoint that a far gateway is may be ejected, too.
 */
function failover(preference: ClusterPreference, ports: readonly ServicePort[]): TrafficPolicy {
  // The probes of TCP wait while something is unanswered, and a connection of HTTP/2 carries all requests.
  const pings = ports.some((port) => isSplit(port) && port.protocol !== "http");
  return {
    loadBalancer: {
      localityLbSetting:
        preference === "own-first"
          ? { failoverPriority: ["topology.istio.io/cluster"] }
          : // Beside outlierDetection Istio would prefer the client's region, where nodes tell theirs.
            { enabled: false },
    },
    connectionPool: {
      tcp: {
        connectTimeout: "1s",
        tcpKeepalive: { time: "1s", interval: "1s", probes: 2 },
      },
      ...(pings && { http: { http2KeepAlive: { interval: "2s", timeout: "1s" } } }),
    },
    outlierDetection: {
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailures: 5,
      consecutive5xxErrors: 0,
      consecutiveGatewayErrors: 0,
      interval: "1s",
      baseEjectionTime: "10s",
      maxEjectionPercent: 100,
    },
  };
}

/** What holds for all versions, as Istio's TrafficPolicy; undefined where only Istio's defaults do. */
export function servicePolicy(
  policies: Policies | undefined,
  ports: readonly ServicePort[] = [],
): TrafficPolicy | undefined {
  if (policies?.preference === undefined) return policies?.all;
  return mergeValues(failover(policies.preference, ports), policies.all ?? {});
}

/**
 * What holds for one version instead: each key replaces that of the service's policy whole, as Istio does it.
 *
 * With a preference, each connection is also replaced before a gateway on its way gives it up. That stands with each
 * version, where it ends connections between two requests: with the service, Istio would cut connections of TCP after the
 * time, and gateways all that they pass through.
 */
export function versionPolicy(
  policies: Policies | undefined,
  version: string,
  ports: readonly ServicePort[] = [],
): TrafficPolicy | undefined {
  const own = policies?.versions?.[version];
  if (policies?.preference === undefined) return own;
  const base = failover(policies.preference, ports);
  const replaces = (key: string) => own !== undefined && key in own;
  const replaced = Object.fromEntries(Object.entries(base).filter(([key]) => replaces(key)));
  const { connectionPool } = replaces("connectionPool")
    ? base
    : mergeValues(base, policies.all ?? {});
  const lifetime = { tcp: { maxConnectionDuration: `${CONNECTION_SECONDS}s` } };
  return mergeValues({ connectionPool: lifetime }, { connectionPool }, replaced, own ?? {});
}
