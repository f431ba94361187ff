import { serviceKey, type ServiceName } from "./names.ts";
import {
  APP_PROTOCOLS,
  PROTOCOLS,
  type PortProtocol,
  type Protocol,
  type ServicePort,
} from "./ports.ts";

/** How the pods of a service are found that others have made. */
export interface ExistingWorkload {
  /** Port of the Service under which it is called. */
  readonly port: number;
  /** All ports under which it is called, that one first. @default that one alone, of HTTP */
  readonly ports?: readonly ServicePort[] | undefined;
  /** Label of the pods whose value is the version. */
  readonly versionLabel: string;
  /** ServiceAccounts of the pods, all versions together. */
  readonly serviceAccounts: readonly string[];
}

/** A service that others have made, and the versions that are to be told apart. */
export interface ExistingService extends ExistingWorkload, ServiceName {
  readonly stable: string;
  /** @default none, no route names a version */
  readonly canary?: string | undefined;
  /** Whether hosts of the ingress gateway lead to it. */
  readonly isCalledFromOutside: boolean;
}

/** A port of a Service, as far as Istio takes the protocol from it. */
interface FoundPort {
  readonly port: number;
  readonly name?: string | undefined;
  readonly appProtocol?: string | undefined;
  /** @default TCP */
  readonly protocol?: string | undefined;
}

/** A pod that a Service selects, and that is neither ending nor at its end. */
export interface FoundPod {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly isReady: boolean;
  readonly hasSidecar: boolean;
  /** What an autoscaler would scale to have more of it: a Deployment, a StatefulSet. @default nobody knows */
  readonly scaled?: Scaled | undefined;
}

/** An object whose count of pods may change. */
export interface Scaled {
  /** Its kinds as far as they are known: pods of a ReplicaSet are a Deployment's, or an Argo Rollout's. */
  readonly kinds: readonly string[];
  readonly name: string;
}

/** What one cluster has of a service that others have made. */
export interface FoundWorkload {
  /** Labels of the namespace. @default there is no such namespace */
  readonly namespace: Readonly<Record<string, string>> | undefined;
  /** @default there is no such Service */
  readonly service:
    | {
        readonly type?: string | undefined;
        readonly isHeadless: boolean;
        readonly selector: Readonly<Record<string, string>>;
        readonly ports: readonly FoundPort[];
      }
    | undefined;
  readonly pods: readonly FoundPod[];
}

/** What speaks against routes to a service in one cluster. */
export interface WorkloadObjection {
  /** The key of the service's configuration that it is about. */
  readonly key: string;
  readonly value?: unknown;
  /** What must be so, and what is. */
  readonly rule: string;
  readonly fix: string;
  /** Whether it comes and goes with the owner's pods: routes that stay as they are do not wait for it. @default false */
  readonly isOfPods?: boolean;
}

const DATAPLANE_MODE = "istio.io/dataplane-mode";

/** Pods that a message names at most. */
const NAMED = 3;

function names(pods: readonly FoundPod[]): string {
  const more = pods.length > NAMED ? ` and ${pods.length - NAMED} more` : "";
  return `${pods
    .slice(0, NAMED)
    .map(({ name }) => name)
    .join(", ")}${more}`;
}

/** Istio's name for the protocol of a port; "" where it finds out by itself. (Istio: kube.ConvertProtocol) */
function protocolOf({ name = "", appProtocol, protocol = "TCP" }: FoundPort): string {
  if (protocol === "UDP") return "udp";
  const told = (appProtocol ?? name).toLowerCase();
  if (told === "kubernetes.io/ws") return "http";
  if (told === "kubernetes.io/h2c") return "http2";
  return appProtocol === undefined ? (told.split("-")[0] ?? "") : told;
}

const SPLIT_BY_REQUEST: readonly string[] = PROTOCOLS;

/** The ports of a Service whose requests are split, the one first that clients without a port in the URL call. */
export function splitPorts(
  ports: readonly FoundPort[],
): readonly (ServicePort & { readonly protocol: Protocol })[] {
  return ports
    .flatMap((each) => {
      const protocol = PROTOCOLS.find((known) => known === protocolOf(each));
      return protocol === undefined ? [] : [{ port: each.port, protocol }];
    })
    .toSorted((one, other) => Number(other.port === 80) - Number(one.port === 80));
}

/** What Istio passes on as TCP. (Istio: its filters for these are off by default, but for that of mongo, which counts) */
const TCP = ["tcp", "mongo", "mysql", "redis"];

/** Whether Istio takes a port for what the configuration says. */
function speaks(found: FoundPort, protocol: PortProtocol): boolean {
  const told = protocolOf(found);
  return protocol === "tcp" ? TCP.includes(told) && found.protocol !== "UDP" : told === protocol;
}

/** The ports of a Service whose connections all go to one version. */
export function tcpPorts(ports: readonly FoundPort[]): readonly ServicePort[] {
  return ports
    .filter((each) => speaks(each, "tcp"))
    .map(({ port }) => ({ port, protocol: "tcp" as const }));
}

function portText(port: FoundPort): string {
  const { name, appProtocol } = port;
  const told = [
    ...(name === undefined ? [] : [`named ${name}`]),
    ...(appProtocol === undefined ? [] : [`appProtocol ${appProtocol}`]),
  ];
  return `${port.port} (${told.length === 0 ? "no name" : told.join(", ")})`;
}

/** The version by which Istio's metrics know a pod. (Istio: the injection template's canonical revision) */
function metricsVersion(labels: FoundPod["labels"]): string {
  return (
    labels["service.istio.io/canonical-revision"] ??
    labels["app.kubernetes.io/version"] ??
    labels["version"] ??
    "latest"
  );
}

/** Whether a port that the configuration names is there, and speaks what it says. */
function namedPortObjections(
  { port, protocol }: ServicePort,
  key: string,
  what: string,
  ports: readonly FoundPort[],
): WorkloadObjection[] {
  const found = ports.find((each) => each.port === port);
  if (!found) {
    return [
      {
        key,
        value: port,
        rule: `must be a port of ${what}, which has ${ports.map((each) => each.port).join(", ") || "none"}`,
        fix: "Name the port under which clients call it.",
      },
    ];
  }
  if (speaks(found, protocol)) return [];
  return [
    {
      key,
      value: port,
      rule: `must be ${protocol === "http" ? "an HTTP" : `a ${protocol}`} port, but Istio does not know port ${portText(found)} of ${what} as one`,
      fix: SPLIT_BY_REQUEST.includes(protocolOf(found))
        ? `Write protocol: ${protocolOf(found)} for it.`
        : `Have the owner set appProtocol: ${APP_PROTOCOLS[protocol]}, or a name that begins with ${protocol}-.`,
    },
  ];
}

function portObjections(
  { port, ports: named = [{ port, protocol: "http" }], isCalledFromOutside }: ExistingService,
  what: string,
  ports: readonly FoundPort[],
): WorkloadObjection[] {
  const others = ports.filter((each) => !named.some((own) => own.port === each.port));
  const unsplit = others.filter((each) => !SPLIT_BY_REQUEST.includes(protocolOf(each)));
  return [
    ...named.flatMap((each, i) =>
      namedPortObjections(each, i === 0 ? "servicePort" : `morePorts[${i - 1}].port`, what, ports),
    ),
    ...(unsplit.length > 0
      ? [
          {
            key: "name",
            rule: `must have HTTP ports alone, beside those of morePorts: requests are split, but connections to port ${unsplit.map(portText).join(", ")} of ${what} would reach the pods of both versions`,
            fix: "List it under morePorts with protocol: tcp, so that all its connections go to stable (Istio must know it as TCP), or have the owner name its protocol if it is HTTP or gRPC, or move it to a Service of its own.",
          },
        ]
      : []),
    ...(isCalledFromOutside && others.length > 0 && named.length === 1
      ? [
          {
            key: "ingressHosts",
            rule: `must be [] while ${what} has several ports: a gateway would not know which one is meant`,
            fix: `List ${others.map((each) => each.port).join(", ")} under morePorts: the gateway then leads to ${port}.`,
          },
        ]
      : []),
  ];
}

function podObjections(
  { versionLabel, serviceAccounts, stable, canary }: ExistingService,
  what: string,
  pods: readonly FoundPod[],
): WorkloadObjection[] {
  const bare = pods.filter(({ hasSidecar }) => !hasSidecar);
  const accounts = new Set(pods.map(({ serviceAccount }) => serviceAccount));
  const strangers = [...accounts].filter((account) => !serviceAccounts.includes(account)).sort();
  const misnamed =
    canary === undefined
      ? []
      : pods.filter(({ labels }) => {
          const version = labels[versionLabel];
          return (version === stable || version === canary) && metricsVersion(labels) !== version;
        });
  const [first] = misnamed;
  return [
    ...(bare.length > 0
      ? [
          {
            key: "name",
            rule: `must have a sidecar in every pod, which splits requests and has the mesh's identity: ${names(bare)} of ${what} have none`,
            fix: "Have the owner label the namespace istio-injection: enabled, or the revision's label, and restart them.",
            isOfPods: true,
          },
        ]
      : []),
    ...(strangers.length > 0
      ? [
          {
            key: "serviceAccounts",
            value: serviceAccounts,
            rule: `must name every ServiceAccount of the pods of ${what}: there is also ${strangers.join(", ")}`,
            fix: "Add it.",
          },
        ]
      : []),
    ...(first
      ? [
          {
            key: "versionLabel",
            value: versionLabel,
            rule: `must give a pod the version by which Istio's metrics know it, or the gates read nothing: ${names(misnamed)} of ${what} has ${first.labels[versionLabel] ?? ""} there and ${metricsVersion(first.labels)} in the metrics`,
            fix: "Istio takes service.istio.io/canonical-revision, else app.kubernetes.io/version, else version: name that label here, or have the owner make both the same.",
          },
        ]
      : []),
  ];
}

/**
 * What keeps the program from routing to a service in one cluster, whatever its versions are.
 *
 * @param cluster its name
 */
export function workloadObjections(
  existing: ExistingService,
  { namespace, service, pods }: FoundWorkload,
  cluster: string,
): readonly WorkloadObjection[] {
  const what = `Service ${serviceKey(existing)} in ${cluster}`;
  if (!namespace) {
    return [
      {
        key: "namespace",
        value: existing.namespace,
        rule: `must be there, but ${cluster} has no such namespace`,
        fix: "Its owner makes it: the program makes none for an existing service.",
      },
    ];
  }
  if (!service) {
    return [
      {
        key: "name",
        value: existing.service,
        rule: `must be a Service of every cluster, but ${cluster} has no Service ${serviceKey(existing)}`,
        fix: "Its owner makes it, in every cluster.",
      },
    ];
  }
  const ambient =
    namespace[DATAPLANE_MODE] === "ambient" ||
    pods.some(({ labels }) => labels[DATAPLANE_MODE] === "ambient");
  const unsupported =
    service.type === "ExternalName"
      ? "is an ExternalName"
      : service.isHeadless
        ? "is headless: clients choose its pods themselves, and no request is split"
        : Object.keys(service.selector).length === 0
          ? "selects no pods"
          : undefined;
  return [
    ...(ambient
      ? [
          {
            key: "namespace",
            value: existing.namespace,
            rule: `must have pods with sidecars, but in ${cluster} it is ambient (${DATAPLANE_MODE}: ambient)`,
            fix: "Ambient workloads are not supported yet.",
          },
        ]
      : []),
    ...(unsupported === undefined
      ? []
      : [
          {
            key: "name",
            value: existing.service,
            rule: `must be a Service with a cluster IP and a selector, but ${what} ${unsupported}`,
            fix: "Have the owner make such a Service; this kind is not supported.",
          },
        ]),
    ...portObjections(existing, what, service.ports),
    // Without a sidecar on purpose: said once is enough.
    ...(ambient ? [] : podObjections(existing, what, pods)),
  ];
}

/** The pods of a version. */
export function podsOf(
  { versionLabel }: ExistingWorkload,
  { pods }: FoundWorkload,
  version: string,
): readonly FoundPod[] {
  return pods.filter(({ labels }) => labels[versionLabel] === version);
}

/** The pods of a version that can take requests. */
export function readyPodsOf(
  existing: ExistingWorkload,
  found: FoundWorkload,
  version: string,
): readonly FoundPod[] {
  return podsOf(existing, found, version).filter(
    ({ isReady, hasSidecar }) => isReady && hasSidecar,
  );
}

/** The pods that are of none of these versions. */
export function podsBeside(
  { versionLabel }: ExistingWorkload,
  { pods }: FoundWorkload,
  versions: readonly string[],
): readonly FoundPod[] {
  return pods.filter(({ labels }) => !versions.includes(labels[versionLabel] ?? ""));
}

/** Which versions the pods are of: `it selects 3 with version=v1, 1 with no such label`. */
function versionsText({ versionLabel }: ExistingWorkload, { pods }: FoundWorkload): string {
  if (pods.length === 0) return "it selects no pod";
  const counts = [...Map.groupBy(pods, ({ labels }) => labels[versionLabel])].map(
    ([version, own]) =>
      `${own.length} with ${version === undefined ? "no such label" : `${versionLabel}=${version}`}`,
  );
  return `it selects ${counts.sort().join(", ")}`;
}

/** Why a version cannot be named in routes: no pod of it is ready in a cluster. Undefined if one is. */
export function absence(
  existing: ExistingService,
  found: FoundWorkload,
  version: string,
): string | undefined {
  if (!found.service || readyPodsOf(existing, found, version).length > 0) return undefined;
  const of = podsOf(existing, found, version);
  return of.length > 0
    ? `none of the ${of.length} pods with ${existing.versionLabel}=${version} is ready (${names(of)})`
    : `no pod has ${existing.versionLabel}=${version}; ${versionsText(existing, found)}`;
}
