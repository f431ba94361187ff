import { REVISION_LABEL } from "./revisions.ts";

/** Values of a Helm chart. */
export type HelmValues = Readonly<Record<string, unknown>>;

/** Where Istio's charts come from. */
export interface ChartSource {
  /** URL of a chart repository. @default Istio's official one */
  readonly repository?: string | undefined;
  /** Folder with packaged charts, as `istiod-1.31.0.tgz`; used instead of a repository. */
  readonly directory?: string | undefined;
}

/** The repository that Istio's documentation names. */
const ISTIO_REPOSITORY = "https://istio-release.storage.googleapis.com/charts";

/** The inputs of a helm Release that say which chart it installs. */
export function chartInputs(source: ChartSource, chart: string, version: string) {
  return source.directory === undefined
    ? { chart, version, repositoryOpts: { repo: source.repository ?? ISTIO_REPOSITORY } }
    : { chart: `${source.directory}/${chart}-${version}.tgz` };
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
  /** @default the control plane without one */
  readonly revision?: string | undefined;
  /** Whether a tag has taken over all that this control plane injects. @default false */
  readonly isReplaced?: boolean | undefined;
}

/**
 * Values of the chart `istiod` for one primary cluster of a mesh over several networks: two pods, since without one the
 * API server refuses every change of routes, also the way back. The chart adds a disruption budget to two.
 */
export function istiodValues(settings: ControlPlaneSettings): HelmValues {
  return mergeValues(VALIDATION, {
    autoscaleMin: 2,
    // Counts where the chart's autoscaler is switched off.
    replicaCount: 2,
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
      proxy: { clusterDomain: settings.clusterDomain },
    },
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

export interface GatewaySettings {
  readonly replicas: number;
  /** Network whose mesh traffic the gateway takes in. @default none: a gateway for ordinary ports */
  readonly network?: string | undefined;
  /** Istio's revision that injects its pods. @default the one without a name */
  readonly revision?: string | undefined;
}

/** Values of the chart `gateway`: a fixed number of replicas, spread over zones and nodes, never all away at once. */
export function gatewayValues(release: string, settings: GatewaySettings): HelmValues {
  return {
    autoscaling: { enabled: false },
    replicaCount: settings.replicas,
    podDisruptionBudget: { maxUnavailable: 1 },
    topologySpreadConstraints: spreadConstraints(gatewayLabels(release)),
    ...(settings.network !== undefined && { networkGateway: settings.network }),
    ...(settings.revision !== undefined && { revision: settings.revision }),
  };
}

/** The labels by which the chart `gateway` marks and selects the pods of a release. */
export function gatewayLabels(release: string) {
  return { app: release, istio: release.replace(/^istio-/, "") };
}
