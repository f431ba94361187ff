import * as z from "zod";
import { CanaryRoute, CanaryWorkload, CrossClusterServiceEntry } from "../../components/index.ts";
import { serviceKey, type ServiceName } from "../../lib/names.ts";

const urns = z.array(z.string()).nullish();
const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  custom: z.boolean().optional(),
  /** Left by an update that was interrupted. */
  delete: z.boolean().optional(),
  parent: z.string().nullish(),
  dependencies: urns,
  propertyDependencies: z.record(z.string(), urns).nullish(),
  deletedWith: z.string().nullish(),
  inputs: z.unknown().optional(),
});
type Resource = z.infer<typeof resource>;

/** The inputs of an object of a cluster. */
const objectInputs = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

// Read, and written back: nothing in it may get another value here.
const exported = z.looseObject({
  deployment: z.looseObject({
    resources: z.array(resource).optional(),
    pending_operations: z.array(z.unknown()).nullish(),
  }),
});

/** A stack's state as `pulumi stack export` gives it. What this program does not read stays in it. */
export type StackState = z.infer<typeof exported>;

/** @throws if it is none */
export function parseState(text: string): StackState {
  return exported.parse(JSON.parse(text));
}

/** An object of a cluster that a stack's state has, and the service that it belongs to. */
export interface StateObject {
  readonly cluster: string;
  /** @default it is a namespace */
  readonly service?: ServiceName | undefined;
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** What is handed back of a state. */
export interface HandedBack {
  readonly objects: readonly StateObject[];
  /** The state without it. */
  readonly rest: StackState;
}

/** The name of a resource, as its URN has it. */
export function resourceName({ urn }: Resource): string {
  return urn.split("::").slice(3).join("::");
}

/** The components of a service, and the cluster of each, by type and name. */
function components({ service, namespace }: ServiceName, clusters: readonly string[]) {
  const key = `${service}.${namespace}`;
  const named = (type: string, name: string, cluster: string) =>
    [`${type} ${name}`, { cluster, service: { service, namespace } }] as const;
  return clusters.flatMap((cluster) => [
    named(CanaryWorkload.type, `${key}-${cluster}`, cluster),
    named(CanaryRoute.type, `${key}-route-${cluster}`, cluster),
    ...clusters
      .filter((other) => other !== cluster)
      .map((other) =>
        named(CrossClusterServiceEntry.type, `${key}-${other}-from-${cluster}`, cluster),
      ),
  ]);
}

/** A state that does not name resources any more which it does not have. */
export function withoutNames(all: readonly Resource[], gone: ReadonlySet<string>): Resource[] {
  const kept = (list: readonly string[]) => list.filter((urn) => !gone.has(urn));
  return all.map(({ dependencies, propertyDependencies, deletedWith, ...more }) => ({
    ...more,
    ...(dependencies != null && { dependencies: kept(dependencies) }),
    ...(propertyDependencies != null && {
      propertyDependencies: Object.fromEntries(
        Object.entries(propertyDependencies).map(([name, list]) => [name, list && kept(list)]),
      ),
    }),
    ...(deletedWith != null && !gone.has(deletedWith) && { deletedWith }),
  }));
}

/**
 * Takes services out of a stack's state: their components, all that these have made, and the namespaces in which the
 * stack makes no service any more.
 *
 * @param namespaces of the services that the program makes and that stay
 * @throws if the last update was interrupted: nobody knows then what there is
 */
export function handBack(
  state: StackState,
  services: readonly ServiceName[],
  clusters: readonly string[],
  namespaces: readonly string[],
): HandedBack {
  const { resources = [], pending_operations: pending } = state.deployment;
  if ((pending ?? []).length > 0) {
    throw new Error("the last update was interrupted: run pulumi up first, which completes it");
  }
  const known = new Map(services.flatMap((service) => components(service, clusters)));
  const leaving = [...new Set(services.map(({ namespace }) => namespace))].filter(
    (namespace) => !namespaces.includes(namespace),
  );
  const homes = new Map(
    leaving.flatMap((namespace) =>
      clusters.map((cluster) => [`kubernetes:core/v1:Namespace ${namespace}-${cluster}`, cluster]),
    ),
  );
  /** Where each resource that goes is, by its URN: parents come before their children. */
  const gone = new Map<string, { readonly cluster: string; readonly service?: ServiceName }>();
  for (const each of resources) {
    const home = homes.get(`${each.type} ${resourceName(each)}`);
    const place =
      known.get(`${each.type} ${resourceName(each)}`) ??
      gone.get(each.parent ?? "") ??
      (home === undefined ? undefined : { cluster: home });
    if (place) gone.set(each.urn, place);
  }
  const objects = resources.flatMap((each): StateObject[] => {
    const place = gone.get(each.urn);
    if (!place || each.custom !== true) return [];
    const { data: inputs } = objectInputs.safeParse(each.inputs);
    if (each.delete === true || !inputs) {
      throw new Error(`${each.urn} is not as an update has left it: run pulumi up first`);
    }
    const { apiVersion, kind, metadata } = inputs;
    return [{ ...place, apiVersion, kind, namespace: metadata.namespace, name: metadata.name }];
  });
  const rest = resources.filter(({ urn }) => !gone.has(urn));
  return {
    objects,
    rest: {
      ...state,
      deployment: {
        ...state.deployment,
        resources: withoutNames(rest, new Set(gone.keys())),
      },
    },
  };
}

/** Where an object is, for people. */
export function objectText({ cluster, kind, namespace, name }: StateObject): string {
  return `${kind} ${namespace === undefined ? name : serviceKey({ namespace, service: name })} in ${cluster}`;
}
