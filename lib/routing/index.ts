import { destinationRule, crossClusterDestinationRule } from "./istio/destination-rule.ts";
import { versionName } from "../version-name.ts";
import { envoyCluster, passthroughCluster } from "./istio/envoy-names.ts";
import { GROUP, VIRTUAL_SERVICES } from "./istio/kinds.ts";
import { routeContent } from "./istio/route-content.ts";
import { serviceEntry } from "./istio/service-entry.ts";
import { LOWER_ONLY } from "./istio/lower-only.ts";
import { loweredTo, versionsIn, withoutVersion } from "./istio/split.ts";
import { virtualService } from "./istio/virtual-service.ts";
import { WEIGHT_METRICS } from "./istio/weight-metrics.ts";
import type { Routing } from "./routing.ts";

/** By VirtualServices, DestinationRules and ServiceEntries of Istio. */
export const routing: Routing = {
  objects: (args) => {
    const { canary, stable, kept = [] } = args;
    const weights = virtualService(args);
    const versions = [stable, ...(canary === undefined ? [] : [canary]), ...kept];
    return {
      versions: destinationRule({ ...args, versions }),
      weights,
      rules: weights.spec.http,
    };
  },
  crossClusterObjects: (args) => {
    const host = serviceEntry(args);
    const ports = host.spec.ports.map(({ name }) => name);
    return { host, ports, versions: crossClusterDestinationRule(args) };
  },
  isWeights: (type) => /^kubernetes:networking\.istio\.io\/.*:VirtualService$/.test(type),
  read: routeContent,
  lowered: loweredTo,
  versionsIn,
  without: withoutVersion,
  envoyCluster: (host, version, port) => envoyCluster(host, versionName(version), port),
  passthroughCluster: (host, version, port) => passthroughCluster(host, versionName(version), port),
  shareIn: (weights, version) => weights[versionName(version)] ?? 0,
  metrics: { configuration: WEIGHT_METRICS, apiGroup: GROUP, resource: VIRTUAL_SERVICES },
  lowerOnly: LOWER_ONLY,
};
