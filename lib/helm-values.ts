import { GATEWAY_DRAIN_SECONDS } from "./gateway-drain.ts";
import {
  EAST_WEST_PORT,
  GATEWAY_PORT_LABEL,
  GATEWAY_STATUS_PORT,
  ipFamilyPolicy,
  type IpFamily,
} from "./names.ts";
import { REVISION_LABEL } from "./revisions.ts";

/** Values of a Helm chart. */
export type HelmValues = Readonly<Record<string, unknown>>;

/** Where Istio's charts come from. */
export interface ChartSource {
  /** URL of a chart repository, or `oci://` and the part of a registry with the charts. @default Istio's official one */
  readonly repository?: string | undefined;
  /** Digest of each chart in a registry, as `sha256:…`. @default a version may be pushed anew */
  readonly digests?: Readonly<Record<string, string | undefined>> | undefined;
  /** Who reads the repository. @default anybody may */
  readonly username?: string | undefined;
  /** A component makes it a secret. */
  readonly password?: string | undefined;
  /** Folder with packaged charts, as `istiod-1.31.0.tgz`; used instead of a repository. */
  readonly directory?: string | undefined;
}

/** The repository that Istio's documentation names. */
const ISTIO_REPOSITORY = "https://istio-release.storage.googleapis.com/charts";

/** The inputs of a helm Release that say which chart it installs. */
export function chartInputs(source: ChartSource, chart: string, version: string) {
  const { directory, repository = ISTIO_REPOSITORY, username, password } = source;
  if (directory !== undefined) return { chart: `${directory}/${chart}-${version}.tgz` };
  const credentials = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
  if (!isRegistry(repository)) {
    return { chart, version, repositoryOpts: { repo: repository, ...credentials } };
  }
  const digest = source.digests?.[chart];
  return {
    // Helm compares the digest with that of the version's tag.
    chart: `${repository.replace(/\/$/, "")}/${chart}${digest === undefined ? "" : `@${digest}`}`,
    version,
    ...(username !== undefined && { repositoryOpts: credentials }),
  };
}

/** Whether charts are OCI artifacts of a registry. */
export function isRegistry(repository: string): boolean {
  return repository.startsWith("oci://");
}

function isRecord(value: unknown): value is HelmValues {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Merges values as Helm does: maps key by key, everything else replaced by what comes last. */
export function mergeValues(base: HelmValues, ...others: readonly HelmValues[]): HelmValues {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of others.flatMap((other) => Object.entries(other))) {
    const old = merged[key];
    merged[key] = isRecord(old) && isRecord(value) ? mergeValues(old, value) : value;
  }
  return merged;
}

/** What is in values at keys, or undefined. */
export function valuesAt(values: HelmValues, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), values);
}

/** Pods of istiod, where no value says another number. */
export const ISTIOD_REPLICAS = 2;

/** Pods of each gateway, where nothing says another number. */
export const GATEWAY_REPLICAS = 2;

/** Whether values of the chart `gateway` switch its autoscaler on, which then sets the Deployment's replicas. */
export function isAutoscaled(values: HelmValues): boolean {
  return valuesAt(values, "autoscaling", "enabled") === true;
}

/**
 * Both charts render a validation webhook that starts as Ignore and that istiod turns to Fail; said
 * at once, the live object stays as the chart has it, and a refresh finds no drift.
 */
const VALIDATION = { base: { validationFailurePolicy: "Fail" } };

/**
 * Values of the chart `base`: the custom resource definitions and the default webhook.
 *
 * @param defaultRevision revision whose istiod checks objects that name none. @default the one without a name
 */
export function baseValues(defaultRevision?: string): HelmValues {
  return {
    ...VALIDATION,
    ...(defaultRevision !== undefined && { defaultRevision }),
  };
}

/** Where proxies send spans. */
export interface Tracing {
  /** Host of a Service that the mesh knows, as `otel-collector.observability.svc.cluster.local`. */
  readonly collector: string;
  /** Its port for OTLP over gRPC. */
  readonly port: number;
}

/** Name of the provider of traces in the mesh config, by which Telemetry refers to it. */
export const TRACING_PROVIDER = "istio-canary-tracing";

/** Spreads pods over zones and nodes where that can be, and runs them where it cannot. */
function spreadConstraints(matchLabels: Readonly<Record<string, string>>) {
  return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels },
  }));
}

export interface ControlPlaneSettings {
  readonly cluster: string;
  readonly network: string;
  readonly meshId: string;
  readonly version: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** Image hub of istiod and the proxies. @default the chart's */
  readonly hub?: string | undefined;
  /** @default no traces */
  readonly tracing?: Tracing | undefined;
  /** Families of the pods' IP addresses. @default the cluster's first */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** Whether an agent on the nodes leads the traffic of pods to their sidecars. @default false: an init container does */
  readonly cni?: boolean | undefined;
  /** Whether sidecars comply with the Pod Security Standard `restricted`. @default false */
  readonly restricted?: boolean | undefined;
  /** @default the control plane without one */
  readonly revision?: string | undefined;
  /** Whether a tag has taken over all that this control plane injects. @default false */
  readonly isReplaced?: boolean | undefined;
}

/** What `restricted` asks for beyond what Istio's charts give. */
const SECCOMP_PROFILE = { seccompProfile: { type: "RuntimeDefault" } };

/**
 * Values of the chart `istiod` for one primary cluster of a mesh over several networks: two pods, since without one the
 * API server refuses every change of routes, also the way back. The chart adds a disruption budget to two.
 */
export function istiodValues(settings: ControlPlaneSettings): HelmValues {
  return mergeValues(VALIDATION, dualStack(settings.ipFamilies), {
    autoscaleMin: ISTIOD_REPLICAS,
    // Counts where the chart's autoscaler is switched off.
    replicaCount: ISTIOD_REPLICAS,
    topologySpreadConstraints: spreadConstraints({
      app: "istiod",
      ...(settings.revision !== undefined && { [REVISION_LABEL]: settings.revision }),
    }),
    ...(settings.revision !== undefined && { revision: settings.revision }),
    global: {
      // Two webhooks for one namespace would both inject its pods.
      ...(settings.isReplaced === true && { operatorManageWebhooks: true }),
      meshID: settings.meshId,
      multiCluster: { clusterName: settings.cluster },
      network: settings.network,
      tag: settings.version,
      ...(settings.hub !== undefined && { hub: settings.hub }),
      proxy: {
        clusterDomain: settings.clusterDomain,
        ...(settings.restricted === true && SECCOMP_PROFILE),
      },
    },
    ...(settings.cni === true && { pilot: { cni: { enabled: true } } }),
    meshConfig: {
      trustDomain: settings.trustDomain,
      accessLogFile: "/dev/stdout",
      ...(settings.tracing && {
        enableTracing: true,
        extensionProviders: [
          {
            name: TRACING_PROVIDER,
            opentelemetry: { service: settings.tracing.collector, port: settings.tracing.port },
          },
        ],
      }),
      // Sidecars answer DNS for the cross-cluster hosts, which no DNS server knows.
      defaultConfig: { proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true" } },
    },
  });
}

/** Values of the chart `cni`: Istio's agent on each node, from the same image hub as istiod. */
export function cniValues(hub: string | undefined): HelmValues {
  return hub === undefined ? {} : { global: { hub } };
}

/** What makes istiod and the proxies listen and answer in both families; nothing with one. */
function dualStack(families: readonly IpFamily[] | undefined): HelmValues {
  if (families === undefined || families.length < 2) return {};
  return {
    ...ipFamilyPolicy(families),
    env: { ISTIO_DUAL_STACK: "true" },
    meshConfig: { defaultConfig: { proxyMetadata: { ISTIO_DUAL_STACK: "true" } } },
  };
}

/** At which ports clients reach an ingress gateway. */
export interface IngressPorts {
  /** @default 80 */
  readonly http?: number | undefined;
  /** @default 443 */
  readonly https?: number | undefined;
}

export interface GatewaySettings {
  readonly replicas: number;
  /** Whether other values switch the chart's autoscaler on. @default false */
  readonly autoscaled?: boolean | undefined;
  /** Network whose mesh traffic the gateway takes in. @default none: a gateway for ordinary ports */
  readonly network?: string | undefined;
  /** Port of its Service for that traffic. @default 15443, that of its pods */
  readonly port?: number | undefined;
  /** Whether it opens and reads what other clusters need, and nothing else of what the chart gives. @default false */
  readonly onlyNeeded?: boolean | undefined;
  /** Whether its pods comply with the Pod Security Standard `restricted`. @default false */
  readonly restricted?: boolean | undefined;
  /** Istio's revision that injects its pods. @default the one without a name */
  readonly revision?: string | undefined;
}

function servicePort(name: string, port: number, targetPort = port) {
  return { name, port, targetPort, protocol: "TCP" };
}

/** Ports of an ingress gateway's Service, if they are not the chart's: the pods listen on these. */
export function ingressValues(ports: IngressPorts | undefined): HelmValues {
  if (!ports) return {};
  return {
    service: {
      ports: [
        servicePort("status-port", GATEWAY_STATUS_PORT),
        servicePort("http2", ports.http ?? 80, 80),
        servicePort("https", ports.https ?? 443, 443),
      ],
    },
  };
}

/**
 * What `networkGateway` says, without two ports for an istiod outside the cluster, of which a mesh of primaries has none;
 * and without the right to read Secrets: traffic that is passed through needs no certificate of the gateway's.
 */
function neededGateway(network: string, port = EAST_WEST_PORT): HelmValues {
  return {
    labels: { "topology.istio.io/network": network },
    env: { ISTIO_META_REQUESTED_NETWORK_VIEW: network },
    service: {
      ports: [
        servicePort("status-port", GATEWAY_STATUS_PORT),
        servicePort("tls", port, EAST_WEST_PORT),
      ],
    },
    rbac: { enabled: false },
  };
}

/** What leads other networks to a gateway, as the chart gives it, with the Service's port if that is another one. */
function networkGateway(network: string, port: number | undefined): HelmValues {
  return {
    networkGateway: network,
    ...(port !== undefined && {
      networkGatewayPorts: { tls: { port, targetPort: EAST_WEST_PORT } },
    }),
  };
}

/**
 * Values of the chart `gateway`: a fixed number of replicas, spread over zones and nodes, never all away at once. With an
 * autoscaler that is the least number: without one of its own the chart's is 1, and it has no disruption budget then.
 * A pod that is to end waits for the requests under way. (EXIT_ON_ZERO_ACTIVE_CONNECTIONS of Istio's pilot-agent)
 */
export function gatewayValues(release: string, settings: GatewaySettings): HelmValues {
  const { replicas, network, port, onlyNeeded, restricted, revision, autoscaled } = settings;
  const ofNetwork =
    network === undefined
      ? {}
      : onlyNeeded === true
        ? neededGateway(network, port)
        : networkGateway(network, port);
  return mergeValues(ofNetwork, {
    ...(restricted === true && {
      // Given one, the chart leaves out the sysctl that lets the gateway take ports below 1024.
      securityContext: {
        ...SECCOMP_PROFILE,
        sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
      },
    }),
    autoscaling: { enabled: false, ...(autoscaled === true && { minReplicas: replicas }) },
    replicaCount: replicas,
    podDisruptionBudget: { maxUnavailable: 1 },
    // Istio's own rule ends the pod 5 s after it was told to, whatever is under way.
    env: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true" },
    terminationGracePeriodSeconds: GATEWAY_DRAIN_SECONDS,
    topologySpreadConstraints: spreadConstraints(gatewayLabels(release)),
    ...(port !== undefined && { labels: { [GATEWAY_PORT_LABEL]: String(port) } }),
    ...(revision !== undefined && { revision }),
  });
}

/** The labels by which the chart `gateway` marks and selects the pods of a release. */
export function gatewayLabels(release: string) {
  return { app: release, istio: release.replace(/^istio-/, "") };
}
