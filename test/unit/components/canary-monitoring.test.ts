import { load } from "js-yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { CanaryMonitoring, type CanaryMonitoringArgs } from "../../../components/index.ts";
import { record } from "../../helpers/component.ts";
import type { Recording, Registered } from "../../helpers/mocks.ts";

const args: CanaryMonitoringArgs = {
  mode: "prometheus",
  cluster: "cluster-a",
  namespace: "watch",
  labels: { release: "stack" },
  scrapeInterval: "15s",
  rules: [{ name: "group", rules: [{ alert: "Alert", expr: "vector(1)" }] }],
  prometheus: { image: "prometheus:1", retention: "7d" },
  alertmanager: { image: "alertmanager:1", webhookUrl: "https://alerts.example.com/secret-path" },
  kubeStateMetrics: { image: "kube-state-metrics:1" },
  dashboardLabels: { grafana_dashboard: "1" },
};
const make = (changes: Partial<CanaryMonitoringArgs> = {}) =>
  record(({ opts }) => {
    new CanaryMonitoring("m", { ...args, ...changes }, opts);
  });
const spec = (resource: Registered) => resource.inputs["spec"] as Readonly<Record<string, unknown>>;
const data = (resource: Registered) => resource.inputs["data"] as Record<string, string>;
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";

interface PodSpec {
  readonly securityContext: object;
  readonly automountServiceAccountToken: boolean;
  readonly containers: readonly [{ readonly securityContext: object; readonly args: string[] }];
}
const podOf = (deployment: Registered) =>
  spec(deployment)["template"] as { spec: PodSpec; metadata: { annotations?: object } };

describe("monitoring with a Prometheus of its own", () => {
  let program: Recording;
  beforeAll(async () => {
    program = await make();
  });

  it("runs three programs without any privilege, after its namespace", () => {
    const deployments = program.ofType(DEPLOYMENT);
    expect(deployments.map(({ name }) => name).sort()).toEqual([
      "m-own-alertmanager-deployment",
      "m-own-prometheus-deployment",
      "m-weights-server-deployment",
    ]);
    for (const deployment of deployments) {
      const { spec: pod } = podOf(deployment);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true });
      expect(pod.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(program.waitsFor(deployment, program.named("m-namespace"))).toBe(true);
    }
  });

  it("lets Prometheus read pods and kube-state-metrics read VirtualServices, and nothing else", () => {
    const rules = Object.fromEntries(
      program
        .ofType("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
        .map(({ inputs }) => [(inputs["metadata"] as { name: string }).name, inputs["rules"]]),
    );
    expect(rules).toEqual({
      "watch-prometheus": [
        { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
      ],
      "watch-kube-state-metrics": [
        {
          apiGroups: ["networking.istio.io"],
          resources: ["virtualservices"],
          verbs: ["list", "watch"],
        },
        {
          apiGroups: ["apiextensions.k8s.io"],
          resources: ["customresourcedefinitions"],
          verbs: ["list", "watch"],
        },
      ],
    });
    const alertmanager = program.named("m-own-alertmanager-deployment");
    expect(podOf(alertmanager).spec.automountServiceAccountToken).toBe(false);
  });

  it("names the cluster on every series and alert", () => {
    const config = load(
      data(program.named("m-own-prometheus-configuration"))["prometheus.yml"] ?? "",
    );
    expect(config).toMatchObject({
      global: { external_labels: { cluster: "cluster-a" }, scrape_interval: "15s" },
      alerting: {
        alertmanagers: [{ static_configs: [{ targets: ["alertmanager.watch.svc:9093"] }] }],
      },
    });
    const { scrape_configs } = config as {
      scrape_configs: {
        relabel_configs?: { target_label?: string; replacement?: string }[];
        static_configs?: { labels: object }[];
      }[];
    };
    expect(scrape_configs).toHaveLength(4);
    for (const job of scrape_configs) {
      expect(
        job.static_configs?.[0]?.labels ??
          job.relabel_configs?.find(({ target_label }) => target_label === "cluster")?.replacement,
      ).toEqual(job.static_configs ? { cluster: "cluster-a" } : "cluster-a");
    }
  });

  it("keeps the receivers in a Secret, and recreates Alertmanager's pod when they change", async () => {
    const secret = program.named("m-own-alertmanager-configuration");
    expect(secret.type).toBe("kubernetes:core/v1:Secret");
    const elsewhere = program.resources.filter((resource) => resource !== secret);
    expect(JSON.stringify(elsewhere.map(({ inputs }) => inputs))).not.toContain("secret-path");
    const other = await make({ alertmanager: { image: "alertmanager:1" } });
    const annotations = (recording: Recording, name: string) =>
      podOf(recording.named(name)).metadata.annotations;
    expect(annotations(other, "m-own-alertmanager-deployment")).not.toEqual(
      annotations(program, "m-own-alertmanager-deployment"),
    );
    // Prometheus takes new rules by itself, and keeps its samples.
    expect(annotations(program, "m-own-prometheus-deployment")).toBeUndefined();
  });

  it("has the samples on a volume if it is to keep them", async () => {
    const claims = "kubernetes:core/v1:PersistentVolumeClaim";
    expect(program.ofType(claims)).toEqual([]);
    const kept = await make({
      prometheus: { image: "prometheus:1", retention: "30d", storage: "20Gi" },
    });
    expect(spec(kept.named("m-own-prometheus-data", "Claim"))).toMatchObject({
      resources: { requests: { storage: "20Gi" } },
    });
  });

  it("hands every dashboard to Grafana, or none", async () => {
    const found = (recording: Recording) =>
      recording
        .ofType("kubernetes:core/v1:ConfigMap")
        .filter(({ name }) => name.includes("dashboard"));
    expect(found(program).map(({ name }) => name)).toEqual([
      "m-dashboard-mesh",
      "m-dashboard-release",
    ]);
    for (const { inputs } of found(program)) {
      expect(inputs["metadata"]).toMatchObject({ labels: { grafana_dashboard: "1" } });
    }
    expect(found(await make({ dashboardLabels: {} }))).toEqual([]);
  });
});

describe("monitoring for a Prometheus Operator", () => {
  let program: Recording;
  beforeAll(async () => {
    program = await make({ mode: "operator" });
  });

  it("makes monitors and rules with the labels by which they are selected, and no Prometheus", () => {
    const objects = program.resources
      .filter(({ type }) => type.includes("monitoring.coreos.com"))
      .sort((one, other) => one.name.localeCompare(other.name));
    expect(
      objects.map(({ type, inputs }) => [
        type.split(":").at(-1),
        (inputs["metadata"] as { name: string }).name,
      ]),
    ).toEqual([
      ["PrometheusRule", "istio-canary"],
      ["PodMonitor", "istio-proxy"],
      ["PodMonitor", "istiod"],
      ["PodMonitor", "kube-state-metrics"],
      ["PodMonitor", "release-guard"],
    ]);
    for (const { inputs } of objects) {
      expect(inputs["metadata"]).toMatchObject({
        namespace: "watch",
        labels: { release: "stack" },
      });
    }
    expect(program.ofType(DEPLOYMENT).map(({ name }) => name)).toEqual([
      "m-weights-server-deployment",
    ]);
  });

  it("reads the same targets in the operator's words", () => {
    const monitor = program.named("m-operator-istio-proxy");
    expect(spec(monitor)).toMatchObject({
      namespaceSelector: { any: true },
      selector: {
        matchExpressions: [{ key: "service.istio.io/canonical-name", operator: "Exists" }],
      },
    });
    const [endpoint] = spec(monitor)["podMetricsEndpoints"] as [
      { path: string; interval: string; relabelings: object[]; metricRelabelings: object[] },
    ];
    expect(endpoint).toMatchObject({ path: "/stats/prometheus", interval: "15s" });
    expect(endpoint.relabelings).toContainEqual({
      targetLabel: "cluster",
      replacement: "cluster-a",
    });
    expect(endpoint.metricRelabelings).toContainEqual({
      sourceLabels: ["__name__"],
      regex: "envoy_(istio_.+)",
      targetLabel: "__name__",
      replacement: "$1",
    });
    expect(spec(program.named("m-operator-istio-canary"))["groups"]).toEqual([
      { ...args.rules[0], interval: "15s" },
    ]);
  });
});

describe("metrics of the services' own", () => {
  const metrics = ["checkout_total", "checkout_errors_total"];
  type Labels = Readonly<Record<string, string>>;
  interface Step {
    readonly sources: readonly string[];
    readonly regex: string;
    readonly action: string;
    readonly target: string;
    readonly replacement: string;
  }

  /** A step of relabelling, as Prometheus or its operator writes it, with Prometheus' defaults. */
  function stepOf(raw: Readonly<Record<string, unknown>>): Step {
    const [sources = [], target = ""] = [
      (raw["source_labels"] ?? raw["sourceLabels"]) as string[] | undefined,
      (raw["target_label"] ?? raw["targetLabel"]) as string | undefined,
    ];
    const { regex = "(.*)", action = "replace", replacement = "$1" } = raw as Partial<Step>;
    return { sources, regex, action, target, replacement };
  }

  /** The labels after all steps, as Prometheus applies them; undefined for what it drops. */
  function relabelled(labels: Labels, steps: readonly Step[]): Labels | undefined {
    let now: Record<string, string> = { ...labels };
    for (const { sources, regex, action, target, replacement } of steps) {
      const all = new RegExp(`^(?:${regex})$`);
      const value = sources.map((name) => now[name] ?? "").join(";");
      if (action === "labeldrop") {
        now = Object.fromEntries(Object.entries(now).filter(([name]) => !all.test(name)));
      } else if (action === "keep") {
        if (!all.test(value)) return undefined;
      } else if (all.test(value)) {
        now[target] = value.replace(all, replacement);
      }
    }
    return Object.fromEntries(Object.entries(now).filter(([, value]) => value !== ""));
  }

  /** The steps on targets, and those on samples, of the job that reads proxies. */
  async function jobOf(mode: "prometheus" | "operator", more: Partial<CanaryMonitoringArgs>) {
    const program = await make({ mode, ...more });
    type Raw = readonly Readonly<Record<string, unknown>>[];
    if (mode === "operator") {
      const [endpoint] = spec(program.named("m-operator-istio-proxy"))["podMetricsEndpoints"] as [
        { relabelings: Raw; metricRelabelings: Raw },
      ];
      return [endpoint.relabelings.map(stepOf), endpoint.metricRelabelings.map(stepOf)] as const;
    }
    const { scrape_configs } = load(
      data(program.named("m-own-prometheus-configuration"))["prometheus.yml"] ?? "",
    ) as {
      scrape_configs: { job_name: string; relabel_configs: Raw; metric_relabel_configs: Raw }[];
    };
    const job = scrape_configs.find(({ job_name }) => job_name === "istio-proxy");
    if (!job) throw new Error("no job");
    return [job.relabel_configs.map(stepOf), job.metric_relabel_configs.map(stepOf)] as const;
  }

  const pod = {
    __meta_kubernetes_pod_container_name: "istio-proxy",
    __meta_kubernetes_pod_container_port_name: "http-envoy-prom",
    __meta_kubernetes_pod_phase: "Running",
    __meta_kubernetes_pod_ip: "10.0.0.1",
    __meta_kubernetes_pod_name: "user-service-v2-abc",
    __meta_kubernetes_namespace: "user",
    __meta_kubernetes_pod_label_version: "v2",
  };

  /** What a Prometheus stores of a sample that the pod tells. */
  async function stored(
    mode: "prometheus" | "operator",
    sample: Labels,
    more: Partial<CanaryMonitoringArgs> = { metrics },
  ) {
    const [targets, samples] = await jobOf(mode, more);
    const target = relabelled(pod, targets);
    const labels = Object.entries(target ?? {}).filter(([name]) => !name.startsWith("__"));
    return relabelled({ ...Object.fromEntries(labels), ...sample }, samples);
  }

  it.each(["prometheus", "operator"] as const)(
    "are kept in mode %s, with the labels that gates ask for",
    async (mode) => {
      const own = { namespace: "user", pod: "user-service-v2-abc", cluster: "cluster-a" };
      const sample = { __name__: "checkout_errors_total", reason: "card" };
      expect(await stored(mode, sample)).toEqual({ ...own, ...sample, version: "v2" });
      expect(await stored(mode, { ...sample, version: "2.3.1" })).toEqual({
        ...{ ...own, ...sample, version: "v2" },
        exported_version: "2.3.1",
      });
      for (const name of ["checkout_errors", "checkout_errors_total_created", "go_goroutines"]) {
        expect(await stored(mode, { __name__: name })).toBeUndefined();
      }
      // Istio's own are what they are without.
      const istio = { __name__: "envoy_istio_requests_total", reporter: "source" };
      expect(await stored(mode, istio)).toEqual({
        ...{ ...own, ...istio },
        __name__: "istio_requests_total",
      });
      expect(await stored(mode, istio)).toEqual(await stored(mode, istio, {}));
      expect(await stored(mode, sample, {})).toBeUndefined();
    },
  );

  it.each(["prometheus", "operator"] as const)(
    "change nothing in mode %s where there are none",
    async (mode) => {
      expect(await jobOf(mode, { metrics: [] })).toEqual(await jobOf(mode, {}));
      expect(JSON.stringify(await jobOf(mode, {}))).not.toContain("version");
    },
  );
});
