import { SERVICE_PORT } from "./names.ts";
import { isFields, type Fields } from "./pod-template.ts";
import { portName, PROTOCOLS, type Protocol, type ServicePort } from "./ports.ts";

/** What a service says of the pods of all its versions. */
export interface ShapeArgs {
  /** Port the container listens on; the Service's is 80. */
  readonly port: number;
  /** What it speaks there. @default "http" */
  readonly protocol?: Protocol | undefined;
  /** Further ports of the Service, each with the container's. @default none */
  readonly morePorts?:
    | readonly (ServicePort & { /** @default `port` */ readonly targetPort?: number | undefined })[]
    | undefined;
  /** Path that answers 200 to GET while the service can serve. @default "/healthz" */
  readonly healthPath?: string | undefined;
  /** Where the container tells its metrics, for Istio's agent. @default the pods have no such annotations */
  readonly metrics?: { readonly port?: number | undefined; readonly path: string } | undefined;
  /** User id of the container. Not 1337, which is the sidecar's. @default 65532 */
  readonly user?: number | undefined;
}

const METRICS = ["prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"] as const;
const PROBES = ["readinessProbe", "livenessProbe"] as const;

/** Names that the first port may have. */
const FIRST_PORTS = PROTOCOLS.map((protocol) => portName({ port: SERVICE_PORT, protocol }, true));

/** The name of the container's first port, and of the Service's. */
export function firstPort({ protocol = "http" }: ShapeArgs): string {
  return portName({ port: SERVICE_PORT, protocol }, true);
}

/** The container's ports by name; two ports of the Service may lead to one. */
export function containerPorts(args: ShapeArgs): Record<string, number> {
  const ports = [
    { name: firstPort(args), port: args.port },
    ...(args.morePorts ?? []).map((each) => ({
      name: portName(each, false),
      port: each.targetPort ?? each.port,
    })),
  ];
  return Object.fromEntries(
    ports
      .filter(({ port }, i) => ports.findIndex((each) => each.port === port) === i)
      .map(({ name, port }) => [name, port]),
  );
}

/** How a container is asked whether it is well. With gRPC both probes ask its health service. */
export function probes(args: ShapeArgs) {
  const probe =
    args.protocol === "grpc"
      ? { grpc: { port: args.port } }
      : { httpGet: { path: args.healthPath ?? "/healthz", port: firstPort(args) } };
  return {
    readinessProbe: { ...probe, periodSeconds: 5 },
    livenessProbe: { ...probe, initialDelaySeconds: 10, periodSeconds: 10 },
  };
}

/** By which Istio's agent finds the container's metrics, to add them to the proxy's. */
export function metricsAnnotations({
  port,
  metrics,
}: ShapeArgs): Readonly<Record<(typeof METRICS)[number], string>> | undefined {
  return (
    metrics && {
      "prometheus.io/scrape": "true",
      "prometheus.io/port": String(metrics.port ?? port),
      "prometheus.io/path": metrics.path,
    }
  );
}

export function userOf({ user = 65532 }: ShapeArgs): number {
  return user;
}

/**
 * What keys of the service decide of a pod, by the key and what it is about: `port`, `morePorts.grpc-9090`,
 * `metrics.prometheus.io/port`. `undefined` is what somebody else has written.
 */
export type PodShape = Readonly<Record<string, string | number | undefined>>;

/** A part of a pod's template, and where it is: as API servers name it in the account of who has written what. */
type Owned = (...field: readonly string[]) => boolean;

function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((inner, key) => (isFields(inner) ? inner[key] : undefined), value);
}

const list = (value: unknown): readonly Fields[] =>
  Array.isArray(value) ? value.filter(isFields) : [];

/**
 * Reads the shape of a pod's template.
 *
 * @param isOwn whether Pulumi has written a field of the template, by the names that API servers give fields. @default
 *   it has written all
 */
export function podShape(template: unknown, name: string, isOwn: Owned = () => true): PodShape {
  const container = list(at(template, "spec", "containers")).find((each) => each["name"] === name);
  if (!container) return {};
  const inContainer = ["f:spec", "f:containers", `k:${JSON.stringify({ name })}`];
  const own = (value: unknown, ...field: readonly string[]) =>
    (typeof value === "string" || typeof value === "number") && isOwn(...field) ? value : undefined;
  const ports = list(container["ports"]).map((port) => {
    const { name: portOf, containerPort, protocol = "TCP" } = port;
    const key = `k:${JSON.stringify({ containerPort, protocol })}`;
    return [String(portOf), own(containerPort, ...inContainer, "f:ports", key)] as const;
  });
  const first = ports.find(([portOf]) => FIRST_PORTS.includes(portOf));
  const annotations = at(template, "metadata", "annotations");
  const user = at(template, "spec", "securityContext", "runAsUser");
  return Object.fromEntries<string | number | undefined>([
    ...(first
      ? ([
          ["protocol", first[1] === undefined ? undefined : first[0]],
          ["port", first[1]],
        ] as const)
      : []),
    ...ports
      .filter((each) => each !== first)
      .map(([portOf, number]) => [`morePorts.${portOf}`, number] as const),
    ...PROBES.flatMap((probe) => {
      const path = at(container, probe, "httpGet", "path");
      const field = [...inContainer, `f:${probe}`, "f:httpGet", "f:path"];
      return path === undefined ? [] : [[`healthPath.${probe}`, own(path, ...field)] as const];
    }),
    ...METRICS.flatMap((annotation) => {
      const value = at(annotations, annotation);
      const field = ["f:metadata", "f:annotations", `f:${annotation}`];
      return value === undefined ? [] : [[`metrics.${annotation}`, own(value, ...field)] as const];
    }),
    ...(user === undefined
      ? []
      : [["user", own(user, "f:spec", "f:securityContext", "f:runAsUser")] as const]),
  ]);
}

/** Keys of a service that decide its pods. `targetPort` is that of one of `morePorts`. */
export const SHAPE_KEYS = ["port", "morePorts", "healthPath", "metrics", "user"] as const;
/** Keys that also change the Service, which no pod that runs then answers for. */
export const PORT_KEYS = ["protocol", "targetPort"] as const;
type ShapeKey = (typeof SHAPE_KEYS)[number] | (typeof PORT_KEYS)[number];

/** The keys in which two shapes differ. What somebody else has written is no difference. */
export function shapeDifferences(deployed: PodShape, wanted: PodShape): readonly ShapeKey[] {
  const names = [...new Set([...Object.keys(deployed), ...Object.keys(wanted)])].filter((name) => {
    const there = deployed[name];
    return there === undefined ? !(name in deployed) : there !== wanted[name];
  });
  const isMoved = (name: string) => name in deployed && name in wanted;
  const keys = new Set(
    names.map((name) => {
      const key = name.split(".")[0] as ShapeKey;
      return key === "morePorts" && isMoved(name) ? "targetPort" : key;
    }),
  );
  // These follow from others.
  if (keys.has("protocol")) keys.delete("healthPath");
  const metrics = names.filter((name) => name.startsWith("metrics."));
  if (keys.has("port") && metrics.every((name) => isMoved(name) && name.endsWith("/port"))) {
    keys.delete("metrics");
  }
  return [...keys];
}
