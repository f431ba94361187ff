import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { RuleGroup } from "../monitoring/rules.ts";
import {
  scrapeJobs,
  targetRelabellings,
  type Relabelling,
  type ScrapeJob,
} from "../lib/monitoring/scrape.ts";
import { serverLabels } from "../lib/monitoring/server-labels.ts";
import { childOptions } from "./child-options.ts";

export interface OperatorObjectsArgs {
  /** Name of the cluster, on every series and alert. */
  readonly cluster: string;
  readonly namespace: pulumi.Input<string>;
  /** By which the cluster's Prometheus objects select what they read. */
  readonly labels: Readonly<Record<string, string>>;
  /** How often metrics are read and rules evaluated, as a duration. */
  readonly scrapeInterval: string;
  /** Names of the services' own metrics that are kept. @default none */
  readonly metrics?: readonly string[] | undefined;
  readonly rules: readonly RuleGroup[];
}

/** What a cluster's Prometheus Operator has to do for a mesh: PodMonitors and a PrometheusRule. */
export class OperatorObjects extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:OperatorObjects";

  constructor(name: string, args: OperatorObjectsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(OperatorObjects.type, name, {}, opts);
    const { cluster, namespace, labels, scrapeInterval, rules } = args;
    const apply = (kind: string, role: string, spec: object) =>
      new k8s.apiextensions.CustomResource(
        `${name}-${role}`,
        {
          apiVersion: "monitoring.coreos.com/v1",
          kind,
          metadata: { name: role, namespace, labels: { ...labels } },
          spec,
        },
        childOptions(this, opts),
      );

    for (const job of scrapeJobs(args.metrics)) {
      apply("PodMonitor", job.name, podMonitor(job, cluster, scrapeInterval));
    }
    apply("PodMonitor", "kube-state-metrics", {
      selector: { matchLabels: serverLabels("kube-state-metrics") },
      podMetricsEndpoints: [
        {
          port: "http",
          path: "/metrics",
          interval: scrapeInterval,
          relabelings: [{ targetLabel: "cluster", replacement: cluster }],
        },
      ],
    });
    apply("PrometheusRule", "istio-canary", {
      groups: rules.map((group) => ({ ...group, interval: scrapeInterval })),
    });
    this.registerOutputs({});
  }
}

function podMonitor(job: ScrapeJob, cluster: string, interval: string) {
  const required = Object.entries(job.selector);
  return {
    selector: {
      matchLabels: Object.fromEntries(
        required.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      ),
      matchExpressions: required
        .filter(([, value]) => value === undefined)
        .map(([key]) => ({ key, operator: "Exists" })),
    },
    namespaceSelector:
      job.namespace === undefined ? { any: true } : { matchNames: [job.namespace] },
    podMetricsEndpoints: [
      {
        path: job.path,
        interval,
        relabelings: targetRelabellings(job, cluster).map(asObject),
        metricRelabelings: job.metricRelabellings.map(asObject),
      },
    ],
  };
}

/** The same step, as the operator's objects write it. */
function asObject({ source_labels, target_label, ...same }: Relabelling) {
  return {
    ...same,
    ...(source_labels !== undefined && { sourceLabels: source_labels }),
    ...(target_label !== undefined && { targetLabel: target_label }),
  };
}
