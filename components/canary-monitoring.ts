import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { dashboards } from "../monitoring/dashboards.ts";
import type { RuleGroup } from "../monitoring/rules.ts";
import { childOptions } from "./child-options.ts";
import { KubeStateMetrics } from "./kube-state-metrics.ts";
import type { ServerImage } from "./monitoring-server.ts";
import { OperatorObjects } from "./operator-objects.ts";
import { OwnPrometheus, type OwnPrometheusArgs } from "./own-prometheus.ts";

export interface CanaryMonitoringArgs extends Pick<
  OwnPrometheusArgs,
  "cluster" | "scrapeInterval" | "metrics" | "prometheus" | "alertmanager"
> {
  /**
   * prometheus: a Prometheus and an Alertmanager of its own. operator: objects for the Prometheus
   * Operator that the cluster has.
   */
  readonly mode: "prometheus" | "operator";
  /** Namespace for all of it, which is created. */
  readonly namespace: string;
  /** Labels of the operator's objects, as the cluster's Prometheus selects them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly rules: readonly RuleGroup[];
  readonly kubeStateMetrics: ServerImage;
  /** Labels by which Grafana finds dashboards; none for no dashboards. */
  readonly dashboardLabels: Readonly<Record<string, string>>;
}

/** What watches over releases in one cluster: metrics, rules, alerts, dashboards. */
export class CanaryMonitoring extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:CanaryMonitoring";

  constructor(name: string, args: CanaryMonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super(CanaryMonitoring.type, name, {}, opts);
    const { mode, cluster, labels, rules, scrapeInterval, metrics, dashboardLabels } = args;
    const home = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: { name: args.namespace } },
      childOptions(this, opts),
    );
    const options = childOptions(this, opts, [home]);
    const namespace = home.metadata.name;
    const role = (program: string) => `${args.namespace}-${program}`;

    const weights = new KubeStateMetrics(
      `${name}-weights`,
      { ...args.kubeStateMetrics, namespace, role: role("kube-state-metrics") },
      options,
    );
    if (mode === "operator") {
      new OperatorObjects(
        `${name}-operator`,
        { cluster, namespace, labels, scrapeInterval, metrics, rules },
        options,
      );
    } else {
      new OwnPrometheus(
        `${name}-own`,
        {
          cluster,
          namespace,
          scrapeInterval,
          metrics,
          rules,
          role: role("prometheus"),
          kubeStateMetrics: weights.address,
          prometheus: args.prometheus,
          alertmanager: args.alertmanager,
        },
        options,
      );
    }
    if (Object.keys(dashboardLabels).length > 0) {
      for (const { file, text } of dashboards()) {
        new k8s.core.v1.ConfigMap(
          `${name}-dashboard-${file}`,
          {
            metadata: {
              name: `dashboard-${file}`,
              namespace,
              labels: { ...dashboardLabels },
            },
            data: { [`istio-canary-${file}.json`]: text },
          },
          options,
        );
      }
    }
    this.registerOutputs({});
  }
}
