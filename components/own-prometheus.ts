import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { dump } from "js-yaml";
import { alertmanagerConfig, type Receivers } from "../lib/monitoring/alertmanager-config.ts";
import { prometheusConfig } from "../lib/monitoring/prometheus-config.ts";
import type { RuleGroup } from "../monitoring/rules.ts";
import { PROMETHEUS, PROMETHEUS_PORT } from "../lib/names.ts";
import { childOptions } from "./child-options.ts";
import { grantClusterRole } from "./cluster-role.ts";
import { MonitoringServer, type ServerImage } from "./monitoring-server.ts";

export interface OwnPrometheusArgs {
  /** Name of the cluster, on every series and alert. */
  readonly cluster: string;
  readonly namespace: pulumi.Input<string>;
  /** Name of ClusterRole and ClusterRoleBinding, which no namespace keeps apart. */
  readonly role: string;
  /** How often metrics are read and rules evaluated, as a duration. */
  readonly scrapeInterval: string;
  /** Names of the services' own metrics that are kept. @default none */
  readonly metrics?: readonly string[] | undefined;
  readonly rules: readonly RuleGroup[];
  /** `host:port` of the kube-state-metrics that reads weights. */
  readonly kubeStateMetrics: pulumi.Input<string>;
  readonly prometheus: ServerImage & {
    /** How long samples are kept, as `7d`. */
    readonly retention: string;
    /** Size of a persistent volume. @default samples are lost with the pod */
    readonly storage?: string | undefined;
  };
  readonly alertmanager: ServerImage & Receivers;
}

const ALERTMANAGER_PORT = 9093;
const CONFIGURATION = "/etc/prometheus";
const RULES = "/etc/prometheus-rules";
const DATA = "/data";

/** A Prometheus and an Alertmanager of its own for one cluster. */
export class OwnPrometheus extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:OwnPrometheus";

  constructor(name: string, args: OwnPrometheusArgs, opts?: pulumi.ComponentResourceOptions) {
    super(OwnPrometheus.type, name, {}, opts);
    const options = childOptions(this, opts);
    const alertmanager = this.#alertmanager(name, args, options);
    this.#prometheus(name, args, alertmanager, options);
    this.registerOutputs({});
  }

  #alertmanager(
    name: string,
    { namespace, alertmanager: { slackUrl, webhookUrl, ...image } }: OwnPrometheusArgs,
    options: pulumi.CustomResourceOptions,
  ): MonitoringServer {
    const text = dump(alertmanagerConfig({ slackUrl, webhookUrl }));
    const secret = new k8s.core.v1.Secret(
      `${name}-alertmanager-configuration`,
      {
        metadata: { name: "alertmanager", namespace },
        // The receivers' URLs are as good as passwords.
        stringData: { "alertmanager.yml": pulumi.secret(text) },
      },
      options,
    );
    return new MonitoringServer(
      `${name}-alertmanager`,
      {
        ...image,
        program: "alertmanager",
        namespace,
        args: [
          "--config.file=/etc/alertmanager/alertmanager.yml",
          `--storage.path=${DATA}`,
          // Each cluster's Alertmanager is alone.
          "--cluster.listen-address=",
        ],
        port: ALERTMANAGER_PORT,
        readyPath: "/-/ready",
        files: [{ path: "/etc/alertmanager", source: secret }],
        restartOn: text,
        dataPath: DATA,
      },
      options,
    );
  }

  #prometheus(
    name: string,
    args: OwnPrometheusArgs,
    alertmanager: MonitoringServer,
    options: pulumi.CustomResourceOptions,
  ): void {
    const { cluster, namespace, scrapeInterval, role } = args;
    const { retention, storage, ...image } = args.prometheus;
    const configuration = new k8s.core.v1.ConfigMap(
      `${name}-prometheus-configuration`,
      {
        metadata: { name: "prometheus", namespace },
        data: {
          "prometheus.yml": pulumi
            .all([alertmanager.address, args.kubeStateMetrics])
            .apply(([alertmanagerAddress, kubeStateMetrics]) =>
              dump(
                prometheusConfig({
                  cluster,
                  scrapeInterval,
                  metrics: args.metrics,
                  alertmanager: alertmanagerAddress,
                  kubeStateMetrics,
                  ruleFiles: `${RULES}/*.yaml`,
                }),
              ),
            ),
        },
      },
      options,
    );
    const rules = new k8s.core.v1.ConfigMap(
      `${name}-prometheus-rules`,
      {
        metadata: { name: "prometheus-rules", namespace },
        data: { "istio-canary.yaml": dump({ groups: args.rules }, { lineWidth: -1 }) },
      },
      options,
    );
    const claim =
      storage === undefined
        ? undefined
        : new k8s.core.v1.PersistentVolumeClaim(
            `${name}-prometheus-data`,
            {
              metadata: { name: PROMETHEUS, namespace },
              spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
            },
            options,
          );
    const server = new MonitoringServer(
      `${name}-prometheus`,
      {
        ...image,
        program: PROMETHEUS,
        namespace,
        args: [
          `--config.file=${CONFIGURATION}/prometheus.yml`,
          `--storage.tsdb.path=${DATA}`,
          `--storage.tsdb.retention.time=${retention}`,
          // It takes new rules by itself, and keeps its samples.
          "--enable-feature=auto-reload-config",
        ],
        port: PROMETHEUS_PORT,
        readyPath: "/-/ready",
        files: [
          { path: CONFIGURATION, source: configuration },
          { path: RULES, source: rules },
        ],
        dataPath: DATA,
        dataClaim: claim?.metadata.name,
        apiServer: true,
      },
      options,
    );
    grantClusterRole(`${name}-prometheus`, server.account, options, {
      role,
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }],
    });
  }
}
