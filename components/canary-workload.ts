import * as k8s from "@pulumi/kubernetes";
import * as kx from "@pulumi/kubernetesx";
import * as pulumi from "@pulumi/pulumi";
import { SERVICE_PORT, SERVICE_PORT_NAME } from "../lib/names.ts";
import { childOptions } from "./child-options.ts";

/** One version of a service. */
export interface VersionArgs {
  /** Value of the label `version`. A Deployment is named after it, so promotion moves no pods. */
  readonly version: string;
  /** Image with tag or digest. Another one rolls the pods, each replaced only when its successor is ready. */
  readonly image: string;
  /** Pods. @default 5 */
  readonly replicas?: number | undefined;
}

export interface CanaryWorkloadArgs {
  /** Name of Service, ServiceAccount and container, and value of the label `app`. */
  readonly service: string;
  /** An existing namespace in which sidecars are injected. */
  readonly namespace: string;
  /** Name of the cluster, as the containers find it in CLUSTER_NAME. */
  readonly cluster: string;
  /** Value of the label `env`. */
  readonly environment: string;
  /** Port the container listens on; the Service's is 80. */
  readonly port: number;
  /** Versions that run side by side. */
  readonly versions: readonly VersionArgs[];
  /** Arguments of the container; `$(SERVICE_VERSION)` and `$(CLUSTER_NAME)` are filled in. @default the image's */
  readonly args?: readonly string[] | undefined;
  /** More environment variables. @default none */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Path that answers 200 to GET while the service can serve. @default "/healthz" */
  readonly healthPath?: string | undefined;
  /** Where the container tells its metrics, for Istio's agent. @default the pods have no such annotations */
  readonly metrics?: { readonly port?: number | undefined; readonly path: string } | undefined;
  /** @default 100m CPU and 128Mi of memory requested, 256Mi of memory at most */
  readonly resources?: k8s.types.input.core.v1.ResourceRequirements | undefined;
  /** User id of the container. Not 1337, which is the sidecar's. @default 65532 */
  readonly user?: number | undefined;
  /** Annotations of the ServiceAccount, such as a cloud's role. @default none */
  readonly accountAnnotations?: Readonly<Record<string, string>> | undefined;
}

/** What a Deployment's pods share, the key of its selector. */
function podLabels(args: CanaryWorkloadArgs, version: string) {
  return { app: args.service, version };
}

/** By which Istio's agent finds the container's metrics, to add them to the proxy's. */
function metricsAnnotations({ port, metrics }: CanaryWorkloadArgs) {
  return (
    metrics && {
      annotations: {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": String(metrics.port ?? port),
        "prometheus.io/path": metrics.path,
      },
    }
  );
}

function podSpec(args: CanaryWorkloadArgs, { version, image }: VersionArgs): kx.types.PodSpec {
  const { service, cluster, healthPath = "/healthz", resources } = args;
  const probe = { httpGet: { path: healthPath, port: SERVICE_PORT_NAME } };
  return {
    serviceAccountName: service,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: args.user ?? 65532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: podLabels(args, version) },
      },
    ],
    containers: [
      {
        name: service,
        image,
        ...(args.args && { args: [...args.args] }),
        env: { ...args.env, SERVICE_VERSION: version, CLUSTER_NAME: cluster },
        ports: { [SERVICE_PORT_NAME]: args.port },
        resources: resources ?? {
          requests: { cpu: "100m", memory: "128Mi" },
          limits: { memory: "256Mi" },
        },
        readinessProbe: { ...probe, periodSeconds: 5 },
        livenessProbe: { ...probe, initialDelaySeconds: 10, periodSeconds: 10 },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}

/**
 * A service in one cluster, with a Deployment for each version behind one Service. Which version
 * gets which requests is CanaryRoute's concern.
 */
export class CanaryWorkload extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:CanaryWorkload";
  readonly service: k8s.core.v1.Service;
  /** One for each version; all pods of it are ready. */
  readonly deployments: readonly k8s.apps.v1.Deployment[];

  constructor(name: string, args: CanaryWorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super(CanaryWorkload.type, name, {}, opts);
    const { service, namespace, environment } = args;
    const app = { app: service };

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      {
        metadata: {
          name: service,
          namespace,
          labels: { ...app, env: environment },
          ...(args.accountAnnotations && { annotations: args.accountAnnotations }),
        },
      },
      childOptions(this, opts),
    );

    this.deployments = args.versions.map((version) => {
      const selector = podLabels(args, version.version);
      const labels = { ...selector, env: environment };
      const metadata = { name: `${service}-${version.version}`, namespace, labels };

      const pods = new kx.PodBuilder(podSpec(args, version));
      const deployment = new k8s.apps.v1.Deployment(
        `${name}-${version.version}`,
        {
          metadata,
          // PodBuilder's own Deployment would select by container name, both versions' pods at once.
          spec: {
            replicas: version.replicas ?? 5,
            strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
            selector: { matchLabels: selector },
            template: {
              metadata: { labels, ...metricsAnnotations(args) },
              spec: pods.podSpec,
            },
          },
        },
        childOptions(this, opts, [account]),
      );

      new k8s.policy.v1.PodDisruptionBudget(
        `${name}-${version.version}-budget`,
        { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: selector } } },
        childOptions(this, opts),
      );
      return deployment;
    });

    this.service = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata: { name: service, namespace, labels: { ...app, env: environment } },
        spec: {
          selector: app,
          ports: [{ name: SERVICE_PORT_NAME, port: SERVICE_PORT, targetPort: SERVICE_PORT_NAME }],
        },
      },
      // The official provider waits for endpoints: only Deployments bring them.
      childOptions(this, opts),
    );
    this.registerOutputs({ service: this.service.metadata.name });
  }
}
