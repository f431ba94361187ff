import { TRACING_PROVIDER } from "../helm-values.ts";
import { SYSTEM_NAMESPACE } from "../names.ts";

/**
 * The mesh's Telemetry: spans of every proxy, with version and cluster of the workload on each.
 *
 * @param samplingPercent percent of requests that start a trace
 */
export function telemetry(samplingPercent: number) {
  return {
    apiVersion: "telemetry.istio.io/v1",
    kind: "Telemetry",
    metadata: { name: "tracing", namespace: SYSTEM_NAMESPACE },
    spec: {
      tracing: [
        {
          providers: [{ name: TRACING_PROVIDER }],
          randomSamplingPercentage: samplingPercent,
          customTags: {
            "service.version": { formatter: { value: VERSION } },
            "k8s.cluster.name": {
              environment: { name: "ISTIO_META_CLUSTER_ID", defaultValue: "unknown" },
            },
          },
        },
      ],
    },
  };
}

/** The proxy's own label `version`, in the words of Envoy's access log format. */
const VERSION =
  "%CEL('version' in xds.node.metadata['LABELS'] ? xds.node.metadata['LABELS']['version'] : 'unknown')%";
