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
    expect(scrape_configs).toHaveLength(3);
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
