import * as k8s from "@pulumi/kubernetes";
import * as kx from "@pulumi/kubernetesx";
import * as pulumi from "@pulumi/pulumi";
import { ipFamilyPolicy, SERVICE_PORT, type IpFamily } from "../lib/names.ts";
import { mergePodTemplate, type PodTemplate } from "../lib/pod-template.ts";
import { DEFAULT_RESOURCES, TEMPLATE, templateDigest } from "../lib/pods.ts";
import {
  containerPorts,
  firstPort,
  metricsAnnotations,
  probes,
  userOf,
  type ShapeArgs,
} from "../lib/pod-shape.ts";
import { APP_PROTOCOLS, portName } from "../lib/ports.ts";
import { INJECTED_BY } from "../lib/revisions.ts";
import { workloadName } from "../lib/version-name.ts";
import { childOptions } from "./child-options.ts";
import { versionConfig, type VersionConfigArgs } from "./version-config.ts";
import { canaryAutoscaler, type AutoscalingArgs } from "./canary-autoscaler.ts";

/** One version of a service. */
export interface VersionArgs {
  /** Value of the label `version`. A Deployment is named after it (workloadName), so promotion moves no pods. */
  readonly version: string;
  /** Image with tag or digest. Another one rolls the pods, each replaced only when its successor is ready. */
  readonly image: string;
  /** Environment variables over the service's, by name. @default the service's alone */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Arguments in place of the service's. @default the service's */
  readonly args?: readonly string[] | undefined;
  /** In place of the service's. @default the service's */
  readonly resources?: k8s.types.input.core.v1.ResourceRequirements | undefined;
  /** Files and secrets that its container reads. @default none */
  readonly config?: VersionConfigArgs | undefined;
  /** Pods. Not looked at with `autoscaling`. @default 5 */
  readonly replicas?: number | undefined;
  /** Fewest pods that its autoscaler may leave, where that is more than the service's `min`. @default the service's */
  readonly minPods?: number | undefined;
  /** What has to happen around Pulumi's change of its Deployment. @default nothing */
  readonly hooks?: pulumi.ResourceHookBinding | undefined;
}

export interface CanaryWorkloadArgs extends ShapeArgs {
  /** Name of Service, ServiceAccount and container, and value of the label `app`. */
  readonly service: string;
  /** An existing namespace in which sidecars are injected. */
  readonly namespace: string;
  /** Istio's revision that injects the pods; another one rolls them. @default default, the one without a name */
  readonly revision?: string | undefined;
  /** Name of the cluster, as the containers find it in CLUSTER_NAME. */
  readonly cluster: string;
  /** Value of the label `env`. */
  readonly environment: string;
  /** Families of IP addresses that the Service is to have. @default the cluster's first */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** Versions that run side by side. */
  readonly versions: readonly VersionArgs[];
  /** Arguments of the container; `$(SERVICE_VERSION)` and `$(CLUSTER_NAME)` are filled in. @default the image's */
  readonly args?: readonly string[] | undefined;
  /** More environment variables. @default none */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** @default 100m CPU and 128Mi of memory requested, 256Mi of memory at most */
  readonly resources?: k8s.types.input.core.v1.ResourceRequirements | undefined;
  /**
   * Who decides how many pods a version has: an autoscaler for each, or "external", somebody else's. Pulumi then never
   * writes the count of a Deployment. @default each version has as many as its `replicas`
   */
  readonly autoscaling?: AutoscalingArgs | "external" | undefined;
  /** Annotations of the ServiceAccount, such as a cloud's role. @default none */
  readonly accountAnnotations?: Readonly<Record<string, string>> | undefined;
  /**
   * Merged over the template of the pods; a field that is null is left out of it. It must leave alone what the pods are
   * selected, called and confirmed by: labels, selector, image, first port, ServiceAccount. @default none
   */
  readonly template?: PodTemplate | undefined;
}

/** What a Deployment's pods share, the key of its selector. */
function podLabels(args: CanaryWorkloadArgs, version: string) {
  return { app: args.service, version };
}

/** The Service's ports. Istio knows HTTP by the first one's name alone, as it was before there were others. */
function servicePorts(args: CanaryWorkloadArgs) {
  const { protocol = "http", morePorts = [] } = args;
  const name = firstPort(args);
  return [
    {
      name,
      port: SERVICE_PORT,
      targetPort: name,
      ...(protocol !== "http" && { appProtocol: APP_PROTOCOLS[protocol] }),
    },
    ...morePorts.map((each) => ({
      name: portName(each, false),
      port: each.port,
      targetPort: each.targetPort ?? each.port,
      appProtocol: APP_PROTOCOLS[each.protocol],
    })),
  ];
}

function podSpec(args: CanaryWorkloadArgs, own: VersionArgs): kx.types.PodSpec {
  const { version, image } = own;
  const { service, cluster } = args;
  const containerArgs = own.args ?? args.args;
  return {
    serviceAccountName: service,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userOf(args),
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
        ...(containerArgs && { args: [...containerArgs] }),
        env: { ...args.env, ...own.env, SERVICE_VERSION: version, CLUSTER_NAME: cluster },
        ports: containerPorts(args),
        resources: own.resources ?? args.resources ?? DEFAULT_RESOURCES,
        ...probes(args),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}

/** The template of a version's pods, with what it reads and the user's own over it. */
function podTemplate(
  args: CanaryWorkloadArgs,
  version: VersionArgs,
  labels: Readonly<Record<string, string>>,
  config: PodTemplate | undefined,
): pulumi.Input<k8s.types.input.core.v1.PodTemplateSpec> {
  const { podSpec: spec } = new kx.PodBuilder(podSpec(args, version));
  const annotations = {
    ...metricsAnnotations(args),
    ...(args.revision !== undefined && { [INJECTED_BY]: args.revision }),
  };
  const metadata = { labels, ...(Object.keys(annotations).length > 0 && { annotations }) };
  const over = [config, args.template].filter((each) => each !== undefined);
  if (over.length === 0) return { metadata, spec };
  return pulumi
    .output(spec)
    .apply((made) => over.reduce(mergePodTemplate, { metadata, spec: { ...made } }))
    .apply((merged) => merged as k8s.types.input.core.v1.PodTemplateSpec);
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
  /** One for each version, if the program makes them. */
  readonly autoscalers: readonly k8s.autoscaling.v2.HorizontalPodAutoscaler[];

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
      const metadata = { name: workloadName(service, version.version), namespace, labels };

      const config =
        version.config &&
        versionConfig(
          `${name}-${version.version}`,
          { container: service, workload: metadata.name, metadata: { namespace, labels } },
          version.config,
          childOptions(this, opts),
        );
      const annotations = {
        ...(args.template && { [TEMPLATE]: templateDigest(args.template) }),
        ...config?.annotations,
      };

      const deployment = new k8s.apps.v1.Deployment(
        `${name}-${version.version}`,
        {
          metadata: {
            ...metadata,
            // By which an update sees that it is another one.
            ...(Object.keys(annotations).length > 0 && { annotations }),
          },
          // PodBuilder's own Deployment would select by container name, both versions' pods at once.
          spec: {
            ...(args.autoscaling === undefined && { replicas: version.replicas ?? 5 }),
            strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
            selector: { matchLabels: selector },
            template: podTemplate(args, version, labels, config?.template),
          },
        },
        {
          ...childOptions(this, opts, [account, ...(config?.objects ?? [])]),
          ...(version.hooks && { hooks: version.hooks }),
        },
      );

      new k8s.policy.v1.PodDisruptionBudget(
        `${name}-${version.version}-budget`,
        { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: selector } } },
        childOptions(this, opts),
      );
      return deployment;
    });

    const { autoscaling } = args;
    this.autoscalers =
      autoscaling === undefined || autoscaling === "external"
        ? []
        : args.versions.map(
            ({ version, minPods }, i) =>
              new k8s.autoscaling.v2.HorizontalPodAutoscaler(
                `${name}-${version}-autoscaler`,
                {
                  metadata: {
                    name: workloadName(service, version),
                    namespace,
                    labels: { ...podLabels(args, version), env: environment },
                  },
                  spec: canaryAutoscaler(workloadName(service, version), autoscaling, minPods),
                },
                // Where a running Deployment gets one, its count has been handed over by then.
                childOptions(this, opts, this.deployments.slice(i, i + 1)),
              ),
          );

    this.service = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata: { name: service, namespace, labels: { ...app, env: environment } },
        spec: {
          selector: app,
          ports: servicePorts(args),
          ...ipFamilyPolicy(args.ipFamilies),
        },
      },
      // The official provider waits for endpoints: only Deployments bring them.
      childOptions(this, opts),
    );
    this.registerOutputs({ service: this.service.metadata.name });
  }
}
