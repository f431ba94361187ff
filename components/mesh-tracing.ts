import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { TRACING_PROVIDER } from "../lib/helm-values.ts";
import { SYSTEM_NAMESPACE } from "../lib/names.ts";
import { childOptions } from "./child-options.ts";

export interface MeshTracingArgs {
  /** Percent of requests that begin a trace. */
  readonly samplingPercent: number;
}

/**
 * Spans of every proxy of a cluster, with version and cluster of the workload on each, so that a trace
 * shows which version in which cluster has answered. The collector is IstioControlPlane's `tracing`.
 */
export class MeshTracing extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:MeshTracing";

  constructor(name: string, args: MeshTracingArgs, opts?: pulumi.ComponentResourceOptions) {
    super(MeshTracing.type, name, {}, opts);
    new k8s.apiextensions.CustomResource(
      `${name}-telemetry`,
      {
        apiVersion: "telemetry.istio.io/v1",
        kind: "Telemetry",
        metadata: { name: "tracing", namespace: SYSTEM_NAMESPACE },
        spec: {
          tracing: [
            {
              providers: [{ name: TRACING_PROVIDER }],
              randomSamplingPercentage: args.samplingPercent,
              customTags: {
                "service.version": { formatter: { value: VERSION } },
                "k8s.cluster.name": {
                  environment: { name: "ISTIO_META_CLUSTER_ID", defaultValue: "unknown" },
                },
              },
            },
          ],
        },
      },
      childOptions(this, opts),
    );
    this.registerOutputs({});
  }
}

/** The proxy's own label `version`, in the words of Envoy's access log format. */
const VERSION =
  "%CEL('version' in xds.node.metadata['LABELS'] ? xds.node.metadata['LABELS']['version'] : 'unknown')%";
