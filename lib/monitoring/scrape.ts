import { RELEASE_GUARD, RELEASE_GUARD_PORT, SYSTEM_NAMESPACE } from "../names.ts";
import { serverLabels } from "./server-labels.ts";

/**
 * Which of a proxy's metrics are kept, by name and, after a semicolon, Envoy cluster: Envoy has hundreds
 * more. Prometheus anchors the expression at both ends.
 */
const KEPT_OF_PROXIES = [
  "istio_(?:requests_total|request_duration_milliseconds_(?:bucket|sum|count)|tcp_.+);.*",
  "istio_agent_cert_expiry_seconds;.*",
  "envoy_(?:listener_manager_lds|cluster_manager_cds)_update_rejected;.*",
  "envoy_cluster_upstream_cx_active;xds-grpc",
].join("|");

/** The same for istiod. */
const KEPT_OF_ISTIOD = "(?:pilot|citadel|istiod|remote_cluster|galley)_.+|istio_build";

/** One step of relabelling, as Prometheus' configuration writes it. */
export interface Relabelling {
  readonly source_labels?: readonly string[];
  readonly regex?: string;
  readonly action?: "keep" | "labeldrop" | "replace";
  readonly target_label?: string;
  readonly replacement?: string;
}

/** Where metrics are read, and which of them are kept. */
export interface ScrapeJob {
  readonly name: "istio-proxy" | "istiod" | typeof RELEASE_GUARD;
  readonly path: string;
  /** Namespace of the pods. @default all of them */
  readonly namespace?: string;
  /** Labels that the pods have, by name; `undefined` for any value. */
  readonly selector: Readonly<Record<string, string | undefined>>;
  /** Container and port that the target is made from: a pod has many, and is one target. */
  readonly container: string;
  readonly portName: string;
  /** The port that is read. */
  readonly port: number;
  readonly metricRelabellings: readonly Relabelling[];
  /** More labels of the targets. @default none */
  readonly targetRelabellings?: readonly Relabelling[];
}

/** Carries a pod's version from the target to those of its metrics that want it. */
const POD_VERSION = "pod_version";

/**
 * What gives the services' own metrics the label `version` of their pod, and takes it off all others. One that they
 * have already is kept under the name that Prometheus has for such labels.
 */
function versionRelabellings(metrics: readonly string[]): Relabelling[] {
  const regex = `(?:${metrics.join("|")});(.+)`;
  return metrics.length === 0
    ? []
    : [
        { source_labels: ["__name__", "version"], regex, target_label: "exported_version" },
        { source_labels: ["__name__", POD_VERSION], regex, target_label: "version" },
        { regex: POD_VERSION, action: "labeldrop" },
      ];
}

/**
 * Proxies, istiod and the guards of all stacks. The ports are open in plain text in a strict mesh too: Istio leaves
 * them out of what the sidecar takes over, and istiod and guards have none. Istio's agent puts the metrics of a pod with the
 * annotations `prometheus.io/scrape`, `port` and `path` beside its proxy's.
 *
 * @param metrics names of the services' own metrics that are kept. @default none
 */
export const scrapeJobs = (metrics: readonly string[] = []): readonly ScrapeJob[] => [
  {
    name: "istio-proxy",
    path: "/stats/prometheus",
    // Istio's injection gives it to every pod with a proxy, sidecar or gateway.
    selector: { "service.istio.io/canonical-name": undefined },
    container: "istio-proxy",
    portName: "http-envoy-prom",
    port: 15020,
    metricRelabellings: [
      // An Envoy that counts without Istio's own filters gives the names its prefix.
      {
        source_labels: ["__name__"],
        regex: "envoy_(istio_.+)",
        target_label: "__name__",
        replacement: "$1",
      },
      {
        source_labels: ["__name__", "cluster_name"],
        regex: [KEPT_OF_PROXIES, ...metrics.map((name) => `${name};.*`)].join("|"),
        action: "keep",
      },
      ...versionRelabellings(metrics),
    ],
    targetRelabellings:
      metrics.length === 0
        ? []
        : [
            {
              source_labels: ["__meta_kubernetes_pod_label_version"],
              target_label: POD_VERSION,
            },
          ],
  },
  {
    name: "istiod",
    path: "/metrics",
    namespace: SYSTEM_NAMESPACE,
    selector: { app: "istiod" },
    container: "discovery",
    portName: "http-monitoring",
    port: 15014,
    metricRelabellings: [{ source_labels: ["__name__"], regex: KEPT_OF_ISTIOD, action: "keep" }],
  },
  {
    name: RELEASE_GUARD,
    path: "/metrics",
    selector: serverLabels(RELEASE_GUARD),
    container: RELEASE_GUARD,
    portName: "http",
    port: RELEASE_GUARD_PORT,
    metricRelabellings: [
      { source_labels: ["__name__"], regex: "istio_canary_guard_.+", action: "keep" },
    ],
  },
];

/** Which targets of a job are kept and what labels they get: one target for each running pod. */
export function targetRelabellings(job: ScrapeJob, cluster: string): Relabelling[] {
  const pod = (name: string) => `__meta_kubernetes_pod_${name}`;
  return [
    { source_labels: [pod("container_name")], regex: job.container, action: "keep" },
    { source_labels: [pod("container_port_name")], regex: job.portName, action: "keep" },
    { source_labels: [pod("phase")], regex: "Running", action: "keep" },
    {
      source_labels: [pod("ip")],
      regex: "(.+)",
      target_label: "__address__",
      replacement: `$1:${job.port}`,
    },
    { source_labels: ["__meta_kubernetes_namespace"], target_label: "namespace" },
    { source_labels: [pod("name")], target_label: "pod" },
    { target_label: "cluster", replacement: cluster },
    ...(job.targetRelabellings ?? []),
  ];
}
