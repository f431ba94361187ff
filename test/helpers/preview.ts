import type { Digest } from "../../preview/digest.ts";
import { canaryRouteObjects } from "../../components/canary-route.ts";
import { parseDigest } from "../../preview/digest.ts";

const STACK = "urn:pulumi:prod::istio-canary::pulumi:pulumi:Stack::istio-canary-prod";

type Properties = Readonly<Record<string, unknown>>;

export interface StepOptions {
  readonly op: string;
  readonly type: string;
  readonly name: string;
  /** Name of the provider. @default none */
  readonly cluster?: string;
  readonly old?: Properties;
  readonly new?: Properties;
  readonly custom?: boolean;
  /** By path, whether old and new inputs are compared. */
  readonly diff?: Readonly<Record<string, boolean>>;
  readonly replaceReasons?: readonly string[];
}

/** One step, as `pulumi preview --json` writes it. */
export function step(options: StepOptions) {
  const { op, type, name, cluster, diff, replaceReasons, custom = true } = options;
  const state = (inputs: Properties | undefined) =>
    inputs && { urn: "", custom, type, inputs, outputs: inputs };
  return {
    op,
    urn: `urn:pulumi:prod::istio-canary::istio-canary:mesh:Parent$${type}::${name}`,
    ...(cluster !== undefined && {
      provider: `urn:pulumi:prod::istio-canary::pulumi:providers:kubernetes::${cluster}::0b5e3d4c`,
    }),
    oldState: state(options.old),
    newState: state(options.new),
    detailedDiff:
      diff &&
      Object.fromEntries(
        Object.entries(diff).map(([path, inputDiff]) => [path, { kind: "update", inputDiff }]),
      ),
    replaceReasons,
  };
}

/** The stack itself, with what it said of itself after the last update. */
export function stackStep(outputs: Properties) {
  const state = { urn: STACK, custom: false, type: "pulumi:pulumi:Stack" };
  return { op: "same", urn: STACK, oldState: { ...state, outputs }, newState: state };
}

export function object(namespace: string, name: string, spec: Properties = {}): Properties {
  return { metadata: { name, namespace }, spec };
}

/** The inputs of a VirtualService that splits by these shares, the stable version first. */
export function routes(shares: Readonly<Record<string, number>>): Properties {
  const route = Object.entries(shares).map(([subset, weight]) => ({
    destination: { host: "user-service.user.svc.cluster.local", subset },
    weight,
  }));
  const canary = {
    match: [{ headers: { "x-canary": { exact: "true" } } }],
    route: route.slice(-1),
  };
  return object("user", "user-service", { http: [canary, { route }] });
}

/** The step of the VirtualService in one cluster. */
export function weightStep(
  cluster: string,
  old: Readonly<Record<string, number>> | undefined,
  next: Readonly<Record<string, number>> | undefined,
) {
  const op = old && next ? "update" : old ? "delete" : "create";
  return step({
    op,
    type: "kubernetes:networking.istio.io/v1:VirtualService",
    name: `user-service.user-route-${cluster}-weights`,
    cluster,
    ...(old && { old: routes(old) }),
    ...(next && { new: routes(next) }),
    ...(op === "update" && {
      diff: { "spec.http[1].route[0].weight": true, "spec.http[1].route[1].weight": true },
    }),
  });
}

/** A service of a chain before or after an update. */
export interface ChainService {
  readonly name: string;
  readonly stable: string;
  readonly canary?: string;
  /** Percent that entries give their canaries in a cluster. */
  readonly weight: (cluster: string) => number;
}

/** The VirtualService of a service of a chain, whose entries are those called `front…`. */
function chainRoute(cluster: string, { name, stable, canary, weight }: ChainService): Properties {
  const role = name.startsWith("front") ? "entry" : "follower";
  const mark = { header: "x-istio-canary", baggage: "istio-canary", testers: [] };
  const chain = { role, mark, members: [] } as const;
  const route = {
    service: name,
    namespace: "shop",
    stable,
    canary,
    weight: weight(cluster),
    chain,
  };
  const { metadata, spec } = canaryRouteObjects(route).weights;
  return { metadata, spec };
}

/** The steps of the VirtualServices of a chain in two clusters; undefined stands for a side without the service. */
export function chainSteps(
  changes: readonly (readonly [old: ChainService | undefined, next: ChainService | undefined])[],
) {
  return ["cluster-a", "cluster-b"].flatMap((cluster) =>
    changes.map(([old, next]) => {
      const [before, after] = [old, next].map((side) => side && chainRoute(cluster, side));
      const same = JSON.stringify(before) === JSON.stringify(after);
      return step({
        op: same ? "same" : before && after ? "update" : before ? "delete" : "create",
        type: "kubernetes:networking.istio.io/v1:VirtualService",
        name: `${(next ?? old)?.name ?? ""}.shop-route-${cluster}-weights`,
        cluster,
        ...(before && { old: before }),
        ...(after && { new: after }),
        ...(!same && before && after && { diff: { "spec.http[2].route[1].weight": true } }),
      });
    }),
  );
}

export function digest(
  steps: readonly unknown[],
  more: { readonly config?: Properties; readonly diagnostics?: readonly unknown[] } = {},
): Digest {
  return parseDigest(JSON.stringify({ steps, ...more }));
}
