import { scrapeJobs, targetRelabellings, type ScrapeJob } from "./scrape.ts";

export interface PrometheusConfigArgs {
  /** Name of the cluster, on every series and alert. */
  readonly cluster: string;
  /** How often metrics are read and rules evaluated, as a duration. */
  readonly scrapeInterval: string;
  /** Names of the services' own metrics that are kept. @default none */
  readonly metrics?: readonly string[] | undefined;
  /** `host:port` of the Alertmanager. */
  readonly alertmanager: string;
  /** `host:port` of the kube-state-metrics that reads weights. */
  readonly kubeStateMetrics: string;
  /** Path pattern of the rule files. */
  readonly ruleFiles: string;
}

/** Configuration of a cluster's own Prometheus. */
export function prometheusConfig(args: PrometheusConfigArgs) {
  const { cluster, scrapeInterval } = args;
  const fixed = (job: string, address: string) => ({
    job_name: job,
    static_configs: [{ targets: [address], labels: { cluster } }],
  });
  return {
    global: {
      scrape_interval: scrapeInterval,
      evaluation_interval: scrapeInterval,
      // Never longer than the interval, which Prometheus refuses.
      scrape_timeout: scrapeInterval,
      external_labels: { cluster },
    },
    rule_files: [args.ruleFiles],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [args.alertmanager] }] }] },
    scrape_configs: [
      ...scrapeJobs(args.metrics).map((job) => discovered(job, cluster)),
      {
        ...fixed("kube-state-metrics", args.kubeStateMetrics),
        metric_relabel_configs: [
          { source_labels: ["__name__"], regex: "istio_canary_.+", action: "keep" },
        ],
      },
    ],
  };
}

function discovered(job: ScrapeJob, cluster: string) {
  const label = Object.entries(job.selector)
    .map(([name, value]) => (value === undefined ? name : `${name}=${value}`))
    .join(",");
  return {
    job_name: job.name,
    metrics_path: job.path,
    kubernetes_sd_configs: [
      {
        role: "pod",
        selectors: [{ role: "pod", label }],
        ...(job.namespace !== undefined && { namespaces: { names: [job.namespace] } }),
      },
    ],
    relabel_configs: targetRelabellings(job, cluster),
    metric_relabel_configs: job.metricRelabellings,
  };
}
