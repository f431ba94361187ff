import * as z from "zod";
import { MONITORING_NAMESPACE } from "../../lib/names.ts";
import { duration, filled, key, label, pattern, rule, scalar, text, whole } from "./values.ts";

const RULES_ONLY = "Updates the rules in every cluster; Prometheus takes them within a minute.";

/** Prometheus knows no fractions in durations, and wants the units in this order. */
const wholeDuration = (example: string) =>
  pattern(
    /^(?=.*[1-9])(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/,
    "must be a duration in whole numbers with their units: h, m, s, ms in this order",
    `For example: ${example}.`,
  );

const url = (example: string, keywords: Readonly<Record<string, string>> = {}) =>
  text(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    "must be an http or https URL",
    `For example: ${example}.`,
    keywords,
  );

const labels = z.record(z.string(), scalar(z.string()));

const quantities = (what: string, example: Readonly<Record<string, string>>) =>
  key(labels.default(example), {
    description: `What the container ${what}, by resource, as Kubernetes quantities.`,
    effect: "Restarts the pod.",
    placeholder: "resource",
    examples: [example],
  });

const server = (
  image: string,
  program: string,
  resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> },
) => ({
  image: key(filled(image).default(image), {
    description: `Image of ${program}.`,
    effect: "Restarts the pod.",
    examples: [image],
  }),
  requests: quantities("requests", resources.requests),
  limits: quantities("may use at most", resources.limits),
});

const prometheus = z.strictObject({
  ...server("quay.io/prometheus/prometheus:v3.11.3", "Prometheus", {
    requests: { cpu: "100m", memory: "512Mi" },
    limits: { memory: "2Gi" },
  }),
  retention: key(
    pattern(
      /^\d+(ms|s|m|h|d|w|y)$/,
      "must be one number with its unit: h, d, w or y",
      "For example: 7d.",
    ).default("7d"),
    {
      description: "How long samples are kept.",
      effect: "Restarts the pod.",
      examples: ["7d"],
    },
  ),
  storage: key(filled("20Gi").optional(), {
    description: "Size of a persistent volume for the samples, of the default storage class.",
    fallback: "samples are kept in the pod alone, and are lost when it is recreated",
    effect: "Recreates the pod; samples that were kept elsewhere are not moved.",
    examples: ["20Gi"],
  }),
});

const receiver = (what: string, example: string) =>
  key(url(example).optional(), {
    description: `${what} Set it with \`pulumi config set --path --secret\`.`,
    fallback: "alerts are not sent there",
    effect: "Restarts Alertmanager, which forgets its silences and what it has sent.",
    secret: true,
    examples: [example],
  });

const alertmanager = z.strictObject({
  ...server("quay.io/prometheus/alertmanager:v0.31.1", "Alertmanager", {
    requests: { cpu: "10m", memory: "64Mi" },
    limits: { memory: "256Mi" },
  }),
  slackUrl: receiver(
    "Incoming webhook of Slack, or of a chat that speaks its format, for all alerts.",
    "https://hooks.slack.com/services/…",
  ),
  webhookUrl: receiver(
    "URL that all alerts are posted to, in Alertmanager's own format.",
    "https://alerts.example.com/istio-canary",
  ),
});

const number = (min: number, max: number, fix: string) =>
  rule(
    z.number().meta({ minimum: min, maximum: max }),
    (value) => value >= min && value <= max,
    `must be a number from ${min} to ${max}`,
    fix,
  );

const thresholds = z.strictObject({
  errorPercent: key(number(0, 100, "For example: 5.").default(5), {
    description: "Percent of 5xx answers of the canary above which CanaryErrorRate fires.",
    examples: [5],
  }),
  errorsTimesStable: key(number(1, 1000, "For example: 2.").default(2), {
    description:
      "How many times the stable version's share of 5xx answers the canary's may be, if it is at least 1 %.",
    examples: [2],
  }),
  latency: key(duration("1s").default("1s"), {
    description: "The canary's 99th percentile of latency above which CanaryLatency fires.",
    examples: ["1s"],
  }),
  latencyTimesStable: key(number(1, 1000, "For example: 1.5.").default(1.5), {
    description:
      "How many times the stable version's 99th percentile the canary's may be, if it is at least 50 ms longer.",
    examples: [1.5],
  }),
  leastRequests: key(whole(1, 1_000_000, "For example: 100.").default(100), {
    description:
      "Requests within `window` that a version must have had for an alert to judge it; fewer are no evidence.",
    examples: [100],
  }),
  shareDeviations: key(number(2, 100, "For example: 4.").default(4), {
    description:
      "Standard deviations of the binomial distribution that a share may be off its weight, or off the other clusters' share.",
    examples: [4],
  }),
  certificateDays: key(whole(1, 3650, "For example: 30.").default(30), {
    description: "How many days before a certificate authority expires its alert fires.",
    examples: [30],
  }),
});

const alert = z.strictObject({
  enabled: key(z.boolean().default(true), {
    description: "Whether the alert is enabled.",
    examples: [false],
  }),
  for: key(wholeDuration("10m").optional(), {
    description: "How long its condition must hold before it fires.",
    fallback: "what monitoring/rules says",
    examples: ["10m"],
  }),
});

/** Prometheus, its rules and alerts, and dashboards in every cluster. */
export const monitoring = z.strictObject({
  mode: key(z.enum(["prometheus", "operator"], { error: "must be prometheus or operator" }), {
    description:
      "What reads metrics and evaluates rules. prometheus: a Prometheus and an Alertmanager that the program installs in each cluster. operator: the Prometheus Operator that each cluster already has, through PodMonitors and a PrometheusRule.",
    effect: "Removes what the other mode has made, its samples included.",
    rules: ["must be prometheus or operator"],
    examples: ["prometheus"],
  }),
  namespace: key(label(MONITORING_NAMESPACE).default(MONITORING_NAMESPACE), {
    description: "Namespace for all of it, created by the program.",
    effect: "Recreates all of it there.",
    examples: [MONITORING_NAMESPACE],
  }),
  labels: key(labels.default({}), {
    description:
      "Labels on PodMonitors and PrometheusRules, as the clusters' Prometheus objects select them.",
    placeholder: "label",
    examples: [{ release: "kube-prometheus-stack" }],
  }),
  scrapeInterval: key(wholeDuration("15s").default("15s"), {
    description: "How often metrics are read and rules evaluated.",
    effect: "Updates Prometheus' configuration.",
    rules: ["must not be longer than a quarter of `window`"],
    examples: ["15s"],
  }),
  metrics: key(
    z
      .array(
        pattern(
          /^[a-zA-Z_:][a-zA-Z0-9_:]*$/,
          "must be the name of a metric",
          "For example: checkout_errors_total.",
        ),
      )
      .default([]),
    {
      description:
        "Names of the services' own metrics that are kept, beside Istio's: counters for `rollout.gates.queries`. A histogram has three names, which end in `_bucket`, `_sum` and `_count`. The pods' annotations must say where to read them, as `services[].metrics` does. Each series gets the labels `namespace`, `pod`, `version` and `cluster` of its pod.",
      effect: "Updates Prometheus' configuration.",
      examples: [["checkout_total", "checkout_errors_total"]],
    },
  ),
  window: key(wholeDuration("5m").default("5m"), {
    description:
      "Time over which rates, latencies and shares are computed: the range `[5m]` of monitoring/rules.",
    effect: RULES_ONLY,
    examples: ["5m"],
  }),
  prometheus: key(prometheus.prefault({}), {
    description: "The Prometheus of mode `prometheus`.",
    examples: [{ storage: "20Gi", retention: "30d" }],
  }),
  alertmanager: key(alertmanager.prefault({}), {
    description: "The Alertmanager of mode `prometheus`.",
    examples: [{ webhookUrl: "https://alerts.example.com/istio-canary" }],
  }),
  kubeStateMetrics: key(
    z
      .strictObject(
        server(
          "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0",
          "kube-state-metrics",
          { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
        ),
      )
      .prefault({}),
    {
      description:
        "The kube-state-metrics of mode `prometheus`, which reads the weights of VirtualServices and nothing else.",
      examples: [{ limits: { memory: "256Mi" } }],
    },
  ),
  thresholds: key(thresholds.prefault({}), {
    description: "When alerts fire.",
    effect: RULES_ONLY,
    examples: [{ errorPercent: 2, latency: "500ms" }],
  }),
  alerts: key(z.record(z.string(), alert).default({}), {
    description: "What differs from monitoring/rules, by the alert's name.",
    rules: ["each key must be the name of an alert"],
    effect: RULES_ONLY,
    placeholder: "alert",
    examples: [{ ReleaseStuck: { for: "72h" } }],
  }),
  runbooks: key(
    url("https://git.example.com/istio-canary/blob/main/", { pattern: "^https?://" }).optional(),
    {
      description: "URL of the folder that holds docs/alerts.md, for the links in alerts.",
      fallback: "the links say docs/alerts.md",
      effect: RULES_ONLY,
      examples: ["https://git.example.com/istio-canary/blob/main/"],
    },
  ),
  dashboardLabels: key(labels.default({ grafana_dashboard: "1" }), {
    description:
      "Labels by which Grafana's sidecar finds the ConfigMaps with the dashboards. An empty map means no dashboards.",
    effect: "Updates the ConfigMaps.",
    placeholder: "label",
    examples: [{ grafana_dashboard: "1" }],
  }),
});

export type Monitoring = z.output<typeof monitoring>;
