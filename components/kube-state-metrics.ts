import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { routing } from "../lib/routing/index.ts";
import { childOptions } from "./child-options.ts";
import { grantClusterRole } from "./cluster-role.ts";
import { MonitoringServer, type ServerImage } from "./monitoring-server.ts";

export interface KubeStateMetricsArgs extends ServerImage {
  /** Name of ClusterRole and ClusterRoleBinding, which no namespace keeps apart. */
  readonly role: string;
  readonly namespace: pulumi.Input<string>;
}

/** Port of its metrics. */
const KUBE_STATE_METRICS_PORT = 8080;

/** A kube-state-metrics that reads the weights of VirtualServices, and nothing else. */
export class KubeStateMetrics extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:KubeStateMetrics";
  /** `host:port` of its Service within the cluster. */
  readonly address: pulumi.Output<string>;

  constructor(name: string, args: KubeStateMetricsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(KubeStateMetrics.type, name, {}, opts);
    const { namespace, role, ...image } = args;
    // JSON is YAML too.
    const text = JSON.stringify(routing.metrics.configuration, undefined, 2);
    const configuration = new k8s.core.v1.ConfigMap(
      `${name}-configuration`,
      { metadata: { name: "kube-state-metrics", namespace }, data: { "metrics.yaml": text } },
      childOptions(this, opts),
    );
    const server = new MonitoringServer(
      `${name}-server`,
      {
        ...image,
        program: "kube-state-metrics",
        namespace,
        args: [
          "--custom-resource-state-only=true",
          "--custom-resource-state-config-file=/etc/kube-state-metrics/metrics.yaml",
          `--port=${KUBE_STATE_METRICS_PORT}`,
        ],
        port: KUBE_STATE_METRICS_PORT,
        readyPath: "/livez",
        files: [{ path: "/etc/kube-state-metrics", source: configuration }],
        restartOn: text,
        apiServer: true,
      },
      childOptions(this, opts),
    );
    grantClusterRole(`${name}-reader`, server.account, childOptions(this, opts), {
      role,
      rules: [
        {
          apiGroups: [routing.metrics.apiGroup],
          resources: [routing.metrics.resource],
          verbs: ["list", "watch"],
        },
        // It learns from these under which name the API server lists a kind.
        {
          apiGroups: ["apiextensions.k8s.io"],
          resources: ["customresourcedefinitions"],
          verbs: ["list", "watch"],
        },
      ],
    });
    this.address = server.address;
    this.registerOutputs({ address: this.address });
  }
}
