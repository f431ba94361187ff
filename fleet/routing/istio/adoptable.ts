import * as z from "zod";
import {
  destinationRuleDifferences,
  virtualServiceDifferences,
  virtualServiceText,
} from "../../../lib/routing/istio/adoption.ts";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import { OWNED } from "../../../lib/routing/routing-annotations.ts";
import { serviceHost } from "../../../lib/names.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { isNotFound } from "../../explain.ts";
import type { Adoptable, AdoptionPlan } from "../cluster-routing.ts";
import { PLURALS } from "./routing-scope.ts";

const found = z.looseObject({
  metadata: z.looseObject({
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
    ownerReferences: z.array(z.looseObject({ kind: z.string(), name: z.string() })).default([]),
  }),
  spec: z.unknown(),
});
type Found = z.infer<typeof found>;

/** Marks by which tools know what they apply again and again, and the tools. */
const TOOLS: readonly (readonly [mark: string, tool: string])[] = [
  ["meta.helm.sh/release-name", "Helm release"],
  ["argocd.argoproj.io/tracking-id", "Argo CD application"],
  ["argocd.argoproj.io/instance", "Argo CD application"],
  ["kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"],
  ["helm.toolkit.fluxcd.io/name", "Flux HelmRelease"],
];

/** By which Argo Rollouts marks a DestinationRule whose subsets it writes. (Argo Rollouts: ManagedByRolloutsKey) */
const ROLLOUT = "argo-rollouts.argoproj.io/managed-by-rollouts";

/** Controllers that write an object again and again: it can be nobody else's as well. */
function writersOf({ metadata: { annotations, ownerReferences } }: Found): readonly string[] {
  const rollout = annotations[ROLLOUT];
  return [
    ...ownerReferences.map(
      (owner) =>
        `metadata.ownerReferences names ${owner.kind} ${owner.name}, which writes it and takes it away with itself`,
    ),
    ...(rollout === undefined
      ? []
      : [`metadata.annotations[${ROLLOUT}] names Rollout ${rollout}, which writes it`]),
  ];
}

function toolOf({ metadata: { labels, annotations } }: Found): string | undefined {
  const marks = { ...labels, ...annotations };
  const known = TOOLS.find(([mark]) => marks[mark] !== undefined);
  return known && `${known[1]} ${marks[known[0]] ?? ""}`;
}

function isOwned({ metadata: { annotations } }: Found): boolean {
  return Object.entries(OWNED).every(([name, value]) => annotations[name] === value);
}

const hostsOf = z.looseObject({
  host: z.string().optional(),
  hosts: z.array(z.string()).default([]),
});

/** Objects for a host that names a cluster, as this program has made them before they were handed back. */
async function crossingOf(
  cluster: ClusterClient,
  { namespace, crossing }: AdoptionPlan,
): Promise<readonly Adoptable[]> {
  const all = await Promise.all(
    crossing.flatMap(({ name, host }) =>
      (["ServiceEntry", "DestinationRule"] as const).map(async (kind): Promise<Adoptable[]> => {
        const object = await read(cluster, PLURALS[kind], namespace, name);
        if (!object || isOwned(object)) return [];
        const spec = hostsOf.safeParse(object.spec);
        const hosts = spec.success ? [spec.data.host ?? [], spec.data.hosts].flat() : [];
        // Anything else is somebody's own, and so a claim.
        if (!hosts.includes(host) || hosts.length > 1) return [];
        return [
          {
            ...{ kind, namespace, name },
            says: `what leads to ${host}`,
            objections: writersOf(object),
            appliedBy: toolOf(object),
          },
        ];
      }),
    ),
  );
  return all.flat();
}

/** The service's objects, where others have made them. */
export async function adoptableOf(
  cluster: ClusterClient,
  plan: AdoptionPlan,
): Promise<readonly Adoptable[]> {
  const { service, namespace, clusterDomain, outside, port, objects } = plan;
  const scope = {
    namespace,
    ownHost: serviceHost({ service, namespace }, clusterDomain),
    outside,
    port,
  };
  const kinds = [
    ["DestinationRule", objects.versions, destinationRuleDifferences],
    ["VirtualService", objects.weights, virtualServiceDifferences],
  ] as const;
  const all = await Promise.all(
    kinds.map(async ([kind, planned, differences]): Promise<Adoptable[]> => {
      const object = await read(cluster, PLURALS[kind], namespace, service);
      if (!object || isOwned(object)) return [];
      return [
        {
          ...{ kind, namespace, name: service },
          says:
            kind === "VirtualService"
              ? virtualServiceText(object.spec, scope)
              : "the subsets of its versions",
          objections: [...writersOf(object), ...differences(object.spec, planned.spec, scope)],
          appliedBy: toolOf(object),
        },
      ];
    }),
  );
  return [...all.flat(), ...(await crossingOf(cluster, plan))];
}

async function read(
  cluster: ClusterClient,
  plural: string,
  namespace: string,
  name: string,
): Promise<Found | undefined> {
  try {
    return found.parse(
      await cluster.custom.getNamespacedCustomObject({
        ...{ group: GROUP, version: VERSION, plural, namespace, name },
      }),
    );
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
