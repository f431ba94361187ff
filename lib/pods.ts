import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { CONFIG_PARTS, type ConfigDigests } from "./version-config.ts";
import {
  containerPorts,
  metricsAnnotations,
  podShape,
  probes,
  shapeDifferences,
  userOf,
  type PodShape,
  type ShapeArgs,
} from "./pod-shape.ts";
import { mergePodTemplate, type PodTemplate } from "./pod-template.ts";

/** Environment variables that the program sets itself, in every container. */
export const OWN_VARIABLES: readonly string[] = ["SERVICE_VERSION", "CLUSTER_NAME"];

/** On a Deployment: which template of the user's its pods are made with; see templateDigest. */
export const TEMPLATE = "istio-canary/template";

/** What a container gets where nobody has said anything else. */
export const DEFAULT_RESOURCES = {
  requests: { cpu: "100m", memory: "128Mi" },
  limits: { memory: "256Mi" },
};

/** What can be said of the container of a version. */
interface Said {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly args?: readonly string[] | undefined;
  readonly resources?: Resources | undefined;
}

interface Resources {
  readonly requests?: Readonly<Record<string, string>> | undefined;
  readonly limits?: Readonly<Record<string, string>> | undefined;
}

/**
 * What decides the container of a version, as far as each version has it for itself. `undefined` in what is deployed is
 * what somebody else has written, not Pulumi: an update of the configuration does not change it.
 */
export interface Pods extends ConfigDigests {
  readonly image: string | undefined;
  /** By name: the text, or where it comes from. Without the program's own. */
  readonly env: Readonly<Record<string, unknown>>;
  readonly args: readonly string[] | undefined;
  /** Quantities by `requests.cpu`, `limits.memory` and so on. */
  readonly resources: Readonly<Record<string, string | undefined>>;
  /** Digest of the template that is merged over the pods'. @default there is none */
  readonly template?: string | undefined;
  /** What the service says of all its pods. @default nobody knows */
  readonly shape?: PodShape | undefined;
}

/** One of the keys by which a version's container may differ. */
export type PodKey = Exclude<keyof Pods, "shape"> | ReturnType<typeof shapeDifferences>[number];

/** Which keys differ, and in what, in words. */
export interface PodDifference {
  readonly key: PodKey;
  /** The variables or resources that differ; the image or the arguments are one thing. @default none are named */
  readonly names?: readonly string[] | undefined;
}

/** Quantities by `requests.cpu` and so on. */
export function flatResources(resources: Resources | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (["requests", "limits"] as const).flatMap((kind) =>
      Object.entries(resources?.[kind] ?? {}).map(([name, quantity]) => [
        `${kind}.${name}`,
        quantity,
      ]),
    ),
  );
}

/** Names a template of the user's by its content. */
export function templateDigest(template: PodTemplate): string {
  return createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 16);
}

/** What a container has of what is compared. */
interface Container {
  readonly name: string;
  readonly env?: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[];
  readonly args?: readonly string[];
  readonly resources?: Resources;
}

/** The container with the user's template over it. */
function templated(container: Container, template: PodTemplate | undefined): Container {
  if (!template) return container;
  const { spec } = mergePodTemplate({ spec: { containers: [container] } }, template);
  const containers = (spec?.["containers"] ?? []) as readonly Container[];
  return containers.find(({ name }) => name === container.name) ?? container;
}

/** The shape of a service's pods, with the user's template over it. */
function shapeOf({
  name,
  template = {},
  port,
  ...service
}: { readonly name: string; readonly template?: PodTemplate | undefined } & Partial<ShapeArgs>) {
  if (port === undefined) return undefined;
  const args = { ...service, port };
  const ports = Object.entries(containerPorts(args)).map(([portName, containerPort]) => ({
    name: portName,
    containerPort,
  }));
  const made = {
    metadata: { annotations: { ...metricsAnnotations(args) } },
    spec: {
      securityContext: { runAsUser: userOf(args) },
      containers: [{ name, ports, ...probes(args) }],
    },
  };
  return podShape(mergePodTemplate(made, template), name);
}

/**
 * What a version's container is to be: its own variables over the service's, its own arguments and resources in place of
 * them, and the user's template over all.
 *
 * @param digests of what it reads. @default nothing
 */
export function podsOf(
  service: Said &
    Partial<ShapeArgs> & { readonly name: string; readonly template?: PodTemplate | undefined },
  version: Said & { readonly image: string },
  digests: ConfigDigests = {},
): Pods {
  const { name, template } = service;
  const shape = shapeOf(service);
  const variables = Object.entries({ ...service.env, ...version.env });
  const { env, args, resources } = templated(
    {
      name,
      env: variables.map(([variable, value]) => ({ name: variable, value })),
      args: version.args ?? service.args ?? [],
      resources: version.resources ?? service.resources ?? DEFAULT_RESOURCES,
    },
    template,
  );
  return {
    image: version.image,
    env: Object.fromEntries(
      (env ?? []).map(({ name: variable, value, valueFrom }) => [
        variable,
        valueFrom ?? value ?? "",
      ]),
    ),
    args: args ?? [],
    resources: flatResources(resources),
    ...(template && { template: templateDigest(template) }),
    ...(shape && { shape }),
    ...digests,
  };
}

/** Factors of the suffixes of quantities, as a numerator and a denominator: 100/1000 is exactly 0.1. */
const SUFFIXES: Readonly<Record<string, readonly [number, number]>> = {
  n: [1, 1e9],
  u: [1, 1e6],
  m: [1, 1e3],
  "": [1, 1],
  k: [1e3, 1],
  M: [1e6, 1],
  G: [1e9, 1],
  T: [1e12, 1],
  P: [1e15, 1],
  E: [1e18, 1],
  Ki: [2 ** 10, 1],
  Mi: [2 ** 20, 1],
  Gi: [2 ** 30, 1],
  Ti: [2 ** 40, 1],
  Pi: [2 ** 50, 1],
  Ei: [2 ** 60, 1],
};

/** The number that a quantity stands for, or the text itself if it is none. */
function amount(quantity: string): number | string {
  const [, digits = "", suffix = ""] =
    /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)$/.exec(quantity.trim()) ?? [];
  const factor = SUFFIXES[suffix];
  const number = Number(digits);
  return digits === "" || factor === undefined || Number.isNaN(number)
    ? quantity
    : (number * factor[0]) / factor[1];
}

/** API servers write quantities in a form of their own: 1000m is 1 there, and 0.5Gi is 512Mi. */
function sameQuantity(one: string, other: string): boolean {
  const [a, b] = [amount(one), amount(other)];
  return typeof a === "number" && typeof b === "number"
    ? Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
    : a === b;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Whether all that is wanted is there; API servers add defaults. */
function holds(deployed: unknown, wanted: unknown): boolean {
  return isObject(deployed) && isObject(wanted)
    ? Object.entries(wanted).every(
        ([key, value]) => value === undefined || holds(deployed[key], value),
      )
    : isDeepStrictEqual(deployed, wanted);
}

/** Names under which something else is there than is wanted. What is there as undefined is like everything. */
function namesThatDiffer<T>(
  deployed: Readonly<Record<string, T | undefined>>,
  wanted: Readonly<Record<string, T | undefined>>,
  isSame: (deployed: T, wanted: T) => boolean,
): readonly string[] {
  return [...new Set([...Object.keys(deployed), ...Object.keys(wanted)])].filter((name) => {
    const [there, to] = [deployed[name], wanted[name]];
    if (there === undefined) return !(name in deployed);
    return to === undefined || !isSame(there, to);
  });
}

/** What an update would change of a version's container, and so roll its pods for. */
export function podDifferences(deployed: Pods, wanted: Pods): readonly PodDifference[] {
  const env = namesThatDiffer(deployed.env, wanted.env, holds);
  const resources = namesThatDiffer(deployed.resources, wanted.resources, sameQuantity);
  return [
    ...(deployed.image !== undefined && deployed.image !== wanted.image
      ? [{ key: "image" as const }]
      : []),
    ...(env.length > 0 ? [{ key: "env" as const, names: env }] : []),
    ...(deployed.args !== undefined && !isDeepStrictEqual(deployed.args, wanted.args)
      ? [{ key: "args" as const }]
      : []),
    ...(resources.length > 0 ? [{ key: "resources" as const, names: resources }] : []),
    ...(deployed.template !== wanted.template ? [{ key: "template" as const }] : []),
    // Of another template, that it is another one is said.
    ...(deployed.template === wanted.template
      ? shapeDifferences(
          deployed.shape ?? wanted.shape ?? {},
          wanted.shape ?? deployed.shape ?? {},
        ).map((key) => ({ key }))
      : []),
    ...CONFIG_PARTS.filter((part) => deployed[part] !== wanted[part]).map((key) => ({ key })),
  ];
}
