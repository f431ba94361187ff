import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { telemetry } from "../lib/manifests/telemetry.ts";
import { childOptions } from "./child-options.ts";

export interface MeshTracingArgs {
  /** Percent of requests that start a trace. */
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
      telemetry(args.samplingPercent),
      childOptions(this, opts),
    );
    this.registerOutputs({});
  }
}
