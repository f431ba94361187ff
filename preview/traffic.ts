import type { ChainRole } from "../lib/mark.ts";
import { ROLE_LABEL } from "../lib/manifests/version-labels.ts";
import { MARK } from "../lib/manifests/routing-annotations.ts";
import { configured } from "./configured.ts";
import {
  clusterOf,
  list,
  objectName,
  parseUrn,
  record,
  STACK_TYPE,
  type Digest,
  type State,
} from "./digest.ts";

/** What one version of a service gets in one cluster, in percent of the requests. */
export interface Share {
  /** `namespace/name` */
  readonly service: string;
  readonly cluster: string;
  readonly version: string;
  /** Whether the service has a version on trial, and this is it. */
  readonly isCanary: boolean;
  /** What the service is in a chain; a follower has the share of the cluster's entries. @default it is in none */
  readonly role?: ChainRole | undefined;
  /** Undefined if the version gets no traffic by weight, not even 0 %. */
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** Shares by version, stable first. */
type Split = ReadonlyMap<string, number>;

/** How one service is routed in one cluster, before the update or after it. */
interface Routed {
  readonly shares: Split;
  /** What it is in a chain. @default it is in none */
  readonly role: ChainRole | undefined;
  /** Of an entry: how it marks, in words. @default it is none */
  readonly mark: string | undefined;
}

/** How one service is routed in one cluster, before and after the update. */
export interface RouteChange {
  readonly cluster: string;
  readonly service: string;
  readonly before: Routed;
  readonly after: Routed;
}

/** What the stack says of itself, as of the last update. */
export function stackOutputs({ steps }: Digest): Readonly<Record<string, unknown>> {
  const stack = steps.find(({ urn }) => parseUrn(urn).type === STACK_TYPE);
  return stack?.oldState?.outputs ?? {};
}

/** The weights of a VirtualService: those of its last rule, which takes every request no other takes. */
function split(state: State | undefined): Split {
  const { route } = record(list(record(state?.inputs["spec"])["http"]).at(-1));
  const destinations = list(route).map(record);
  return new Map(
    destinations.flatMap(({ destination, weight }) => {
      const { subset } = record(destination);
      const share = weight ?? (destinations.length === 1 ? 100 : 0);
      return typeof subset === "string" && typeof share === "number" ? [[subset, share]] : [];
    }),
  );
}

function routed(state: State | undefined): Routed {
  const { labels, annotations } = record(state?.inputs["metadata"]);
  const role = record(labels)[ROLE_LABEL];
  const mark = record(annotations)[MARK];
  return {
    shares: split(state),
    role: role === "entry" || role === "follower" ? role : undefined,
    mark: typeof mark === "string" ? mark : undefined,
  };
}

/** What a service is in the chain that is configured. */
function configuredRole(digest: Digest, service: string): ChainRole | undefined {
  const chain = configured(digest, "chain");
  return chain && (chain.entries.includes(service) ? "entry" : "follower");
}

/** The shares of every service in every cluster according to the stack's outputs. */
function deployed(outputs: Readonly<Record<string, unknown>>) {
  return Object.entries(record(outputs["clusters"])).flatMap(([cluster, about]) =>
    Object.entries(record(record(about)["traffic"])).map(([service, versions]) => {
      const shares = Object.entries(record(versions)).filter(
        (entry): entry is [string, number] => typeof entry[1] === "number",
      );
      return { cluster, service, shares: new Map(shares) };
    }),
  );
}

/** The canary's share, where there are two versions. */
function ofCanary({ shares }: Routed): number {
  return shares.size > 1 ? ([...shares.values()].at(-1) ?? 0) : 0;
}

/** A follower has weights of 0, and the share of the cluster's entries: the highest where they differ. */
function following(routes: readonly RouteChange[], side: "before" | "after", cluster: string) {
  const marked = Math.max(
    0,
    ...routes
      .filter((each) => each.cluster === cluster && each[side].role === "entry")
      .map((each) => ofCanary(each[side])),
  );
  return (own: Routed): Routed => {
    const [stable, canary] = [...own.shares.keys()];
    return own.role !== "follower" || stable === undefined || canary === undefined
      ? own
      : {
          ...own,
          shares: new Map([
            [stable, 100 - marked],
            [canary, marked],
          ]),
        };
  };
}

/**
 * How each service is routed in each cluster. VirtualServices that the preview shows say both sides; for
 * one it leaves out, since nothing changes about it, the stack's outputs do.
 */
export function routeChanges(digest: Digest): readonly RouteChange[] {
  const found = new Map<string, RouteChange>();
  const note = (entry: RouteChange) => found.set(`${entry.service} ${entry.cluster}`, entry);
  for (const { cluster, service, shares } of deployed(stackOutputs(digest))) {
    const same = { shares, role: configuredRole(digest, service), mark: undefined };
    note({ cluster, service, before: same, after: same });
  }
  for (const { urn, provider, op, oldState, newState } of digest.steps) {
    const cluster = clusterOf({ urn, provider });
    const service = objectName((newState ?? oldState)?.inputs ?? {});
    // The replaced half of a replacement says nothing about what comes after.
    const tells = isVirtualService(urn) && op !== "delete-replaced";
    if (tells && cluster !== undefined && service !== undefined) {
      note({ cluster, service, before: routed(oldState), after: routed(newState) });
    }
  }
  const routes = [...found].sort(byKey).map(([, route]) => route);
  return routes.map((route) => ({
    ...route,
    before: following(routes, "before", route.cluster)(route.before),
    after: following(routes, "after", route.cluster)(route.after),
  }));
}

/** Each version's share before and after the update. */
export function traffic(digest: Digest): readonly Share[] {
  return routeChanges(digest).flatMap(({ cluster, service, before, after }) => {
    const [then, now] = [before.shares, after.shares];
    const canary = now.size > 1 ? [...now.keys()].at(-1) : undefined;
    return [...new Set([...then.keys(), ...now.keys()])].sort().map((version) => ({
      service,
      cluster,
      version,
      isCanary: version === canary,
      role: after.role ?? before.role,
      before: then.get(version),
      after: now.get(version),
    }));
  });
}

const byKey = ([a]: [string, RouteChange], [b]: [string, RouteChange]) => (a < b ? -1 : 1);

function isVirtualService(urn: string): boolean {
  return /^kubernetes:networking\.istio\.io\/.*:VirtualService$/.test(parseUrn(urn).type);
}
