import { markedBy, serving } from "../lib/chain-rules.ts";
import type { ChainRole } from "../lib/mark.ts";
import { routing } from "../lib/routing/index.ts";
import { shares, type Split as VersionSplit } from "../lib/weights.ts";
import { configured } from "./configured.ts";
import {
  clusterOf,
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

function sharesOf(split: VersionSplit): Split {
  return new Map(shares(split).map(({ version, weight }) => [version, weight]));
}

/** What an object with weights says; nothing of its versions where Pulumi does not know them yet. */
function routed(state: State | undefined): Routed {
  const { split, role, mark } = routing.read(state?.inputs ?? {});
  return { shares: split ? sharesOf(split) : new Map(), role, mark };
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

/** The versions of a route as the rules of a chain know them. */
function splitIn({ shares, role }: Routed) {
  const [stable = "", canary] = shares.keys();
  return { stable, canary, role, weight: shares.get(canary ?? "") ?? 0 };
}

/** A follower has weights of 0, and the share of the cluster's entries. */
function following(routes: readonly RouteChange[], side: "before" | "after", cluster: string) {
  const here = routes.filter((each) => each.cluster === cluster).map((each) => each[side]);
  const marked = markedBy(here.map(splitIn));
  return (own: Routed): Routed =>
    own.role === "follower" ? { ...own, shares: sharesOf(serving(splitIn(own), marked)) } : own;
}

/**
 * How each service is routed in each cluster. Objects with weights that the preview shows say both sides; for
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
    const tells = routing.isWeights(parseUrn(urn).type) && op !== "delete-replaced";
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
