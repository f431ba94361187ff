import { differenceLine, differencesOf } from "../differences.ts";

/** A kind of Envoys whose routes for a service are the same, and those routes. */
export interface EnvoyRouting {
  /** Envoys by what they serve: `sidecar of user/user-service`, `gateway istio-ingress/…`. */
  readonly of: readonly string[];
  /** Virtual hosts by route table and name. */
  readonly virtualHosts: Readonly<Record<string, unknown>>;
}

/** Everything in one cluster that decides where a service's requests go. */
export interface RoutingState {
  /** Specs by kind and name: `VirtualService/user-service`. */
  readonly objects: Readonly<Record<string, unknown>>;
  readonly envoys: readonly EnvoyRouting[];
}

/** Envoys of workloads and of gateways hold different tables. */
function kindOf(envoy: string): string {
  return envoy.split(" ", 1).join("");
}

/** What an Envoy may hold: what was there for its workload, or for any of its kind if that is new. */
function allowed(before: RoutingState, envoy: string): readonly EnvoyRouting[] {
  const own = before.envoys.filter(({ of }) => of.includes(envoy));
  return own.length > 0
    ? own
    : before.envoys.filter(({ of }) => of.some((other) => kindOf(other) === kindOf(envoy)));
}

/**
 * Where the routing of a service differs from what it was, one line each. Workloads may have come
 * or gone since.
 */
export function routingDifferences(before: RoutingState, after: RoutingState): string[] {
  const names = [...new Set([...Object.keys(before.objects), ...Object.keys(after.objects)])];
  const objects = names.sort().flatMap((name) => {
    if (!(name in after.objects)) return [`${name} is gone`];
    if (!(name in before.objects)) return [`${name} is new`];
    return differencesOf(before.objects[name], after.objects[name]).map(
      (each) => `${name}: ${differenceLine(each)}`,
    );
  });
  const envoys = after.envoys.flatMap(({ of, virtualHosts }) =>
    of.flatMap((envoy) => {
      const known = allowed(before, envoy);
      const [first, ...others] = known.map((each) =>
        differencesOf(each.virtualHosts, virtualHosts),
      );
      if (first === undefined) return [`${envoy} is new`];
      if ([first, ...others].some((found) => found.length === 0)) return [];
      return first.map((each) => `${envoy}: ${differenceLine(each)}`);
    }),
  );
  return [...objects, ...envoys];
}
