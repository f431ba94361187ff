import * as z from "zod";
import { CHAIN, MARK, REPLACES } from "./routing/istio/routing-annotations.ts";
import { ROLE_LABEL } from "./routing/istio/version-labels.ts";
import { virtualServiceSpec, type RuleDestination } from "./routing/istio/virtual-service-spec.ts";
import type { ChainRole } from "./mark.ts";
import type { Split } from "./weights.ts";

/** The split that is deployed: of hosts that differ, the one with the highest weight. */
export interface DeployedSplit extends Split {
  /** The canary's weight at the host that gives it least. @default every host has the same weight */
  readonly leastWeight?: number | undefined;
}

/** How one cluster routes a service now, read from its VirtualService. */
export interface DeployedRoute extends DeployedSplit {
  /** Who has written the rules, if it was neither this program nor Pulumi. @default one of these has, or nobody knows */
  readonly writtenBy?: string | undefined;
  /** The API server's count of the changes of the VirtualService's spec. */
  readonly generation: number;
  /** The API server's name for this very state of the object. @default not known */
  readonly resourceVersion?: string | undefined;
  /** What the annotation REPLACES says. @default it has none */
  readonly replaces: string | undefined;
  /** What the service is in a chain. @default it is in none */
  readonly role?: ChainRole | undefined;
  /** Of an entry: all services of its chain, as `namespace/name`. @default it is no entry */
  readonly members?: readonly string[] | undefined;
  /** Of an entry: how it marks, in words. @default it is no entry */
  readonly mark?: string | undefined;
  /** All routing rules, as they have to be written to get back to this state. */
  readonly http: readonly unknown[];
  /** Image of the service's container by version, from the Deployments. */
  readonly images: Readonly<Record<string, string>>;
}

/** What there is of the services in one cluster. */
export interface DeployedCluster {
  readonly name: string;
  /** Why the cluster could not be read. @default it was read */
  readonly unreachable: string | undefined;
  /** By `namespace/service`; services that are not there yet are left out. */
  readonly routes: ReadonlyMap<string, DeployedRoute>;
}

const virtualServiceSchema = z.looseObject({
  metadata: z.looseObject({
    generation: z.number(),
    resourceVersion: z.string().optional(),
    managedFields: z
      .array(z.looseObject({ manager: z.string().optional(), fieldsV1: z.unknown() }))
      .optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    labels: z
      .looseObject({ [ROLE_LABEL]: z.enum(["entry", "follower"]).optional().catch(undefined) })
      .optional(),
  }),
  spec: virtualServiceSpec,
});

const ownsRules = z.looseObject({ "f:spec": z.looseObject({ "f:http": z.unknown() }).required() });

function subset(entry: RuleDestination | undefined): string | undefined {
  return entry?.destination.subset;
}

/**
 * The versions and the weight of a VirtualService's spec that this program has written. Its last rule
 * is the one that requests to the service's own host take. Somebody may have changed another host's
 * weight alone.
 */
export function splitOf(spec: unknown): DeployedSplit {
  const { http } = virtualServiceSpec.parse(spec);
  const [stable, canary] = http.at(-1)?.route ?? [];
  const version = subset(canary);
  const weights = http
    .filter(({ route }) => route.length > 1)
    .flatMap(({ route }) => route.filter((entry) => subset(entry) === version))
    .map(({ weight }) => weight ?? 0);
  const highest = Math.max(0, ...weights);
  const least = Math.min(highest, ...weights);
  return {
    stable: subset(stable) ?? "",
    canary: version,
    weight: highest,
    ...(least < highest && { leastWeight: least }),
  };
}

/** Field managers by which this program and Pulumi's provider write. */
const OWN_MANAGERS = /^(istio-canary$|pulumi)/;

/** Who owns the rules by the API server's account of fields, unless one of the owners is this program or Pulumi. */
function otherWriter(
  managedFields: z.infer<typeof virtualServiceSchema>["metadata"]["managedFields"],
) {
  const owners = (managedFields ?? []).flatMap(({ manager, fieldsV1 }) =>
    manager !== undefined && ownsRules.safeParse(fieldsV1).success ? [manager] : [],
  );
  return owners.some((manager) => OWN_MANAGERS.test(manager)) ? undefined : owners[0];
}

/** Reads a VirtualService as the API server returns it. */
export function deployedRoute(
  virtualService: unknown,
  images: Readonly<Record<string, string>>,
): DeployedRoute {
  const { metadata, spec } = virtualServiceSchema.parse(virtualService);
  return {
    ...splitOf(spec),
    generation: metadata.generation,
    writtenBy: otherWriter(metadata.managedFields),
    resourceVersion: metadata.resourceVersion,
    replaces: metadata.annotations?.[REPLACES],
    role: metadata.labels?.[ROLE_LABEL],
    members: metadata.annotations?.[CHAIN]?.split(" "),
    mark: metadata.annotations?.[MARK],
    http: spec.http,
    images,
  };
}

/** Percent of the requests that a version gets. */
export function shareOf(split: Split, version: string | undefined): number {
  if (version === undefined) return 0;
  if (version === split.canary) return split.weight;
  if (version !== split.stable) return 0;
  return split.canary === undefined ? 100 : 100 - split.weight;
}

/** The same, for the requests to the host that gives the canary least. */
export function leastShareOf(split: DeployedSplit, version: string): number {
  const { canary, leastWeight, weight } = split;
  return version === canary ? (leastWeight ?? weight) : shareOf(split, version);
}

/** Whether two splits send every request the same way. One whose hosts differ is like no other. */
export function sameShares(one: DeployedSplit, other: DeployedSplit): boolean {
  if (one.leastWeight !== undefined || other.leastWeight !== undefined) return false;
  return [one.stable, one.canary, other.stable, other.canary].every(
    (version) => shareOf(one, version) === shareOf(other, version),
  );
}

/** The rules with the canary's share set in all of them; all else stays as it is. */
export function withWeight(
  http: readonly unknown[],
  canary: string,
  weight: number,
): readonly unknown[] {
  return virtualServiceSpec.parse({ http }).http.map((rule) => ({
    ...rule,
    ...(rule.route.length > 1 && {
      route: rule.route.map((entry) => ({
        ...entry,
        weight: subset(entry) === canary ? weight : 100 - weight,
      })),
    }),
  }));
}

/** The rules with the canary's share lowered where it is higher; all else stays as it is. */
export function loweredTo(
  http: readonly unknown[],
  canary: string,
  weight: number,
): readonly unknown[] {
  return http.map((rule) =>
    splitOf({ http: [rule] }).weight > weight ? withWeight([rule], canary, weight)[0] : rule,
  );
}

/**
 * The value of the annotation by which Pulumi's engine, which compares with its own state alone, sees
 * that a cluster serves something else than is wanted: the generation that is to be replaced. It
 * stays as it is while the cluster serves what is wanted, so a preview then shows nothing.
 */
export function replacesAnnotation(
  route: DeployedRoute | undefined,
  wanted: Split,
): string | undefined {
  if (!route) return undefined;
  return sameShares(route, wanted) ? route.replaces : `generation ${route.generation}`;
}
