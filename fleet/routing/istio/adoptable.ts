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

function toolOf({ metadata: { labels, annotations } }: Found): string | undefined {
  const marks = { ...labels, ...annotations };
  const known = TOOLS.find(([mark]) => marks[mark] !== undefined);
  return known && `${known[1]} ${marks[known[0]] ?? ""}`;
}

/** The service's own two objects, where others have made them. */
export async function adoptableOf(
  cluster: ClusterClient,
  { service, namespace, clusterDomain, outside, port, objects }: AdoptionPlan,
): Promise<readonly Adoptable[]> {
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
      if (!object) return [];
      const { annotations, ownerReferences } = object.metadata;
      if (Object.entries(OWNED).every(([name, value]) => annotations[name] === value)) return [];
      return [
        {
          ...{ kind, namespace, name: service },
          says:
            kind === "VirtualService"
              ? virtualServiceText(object.spec, scope)
              : "the subsets of its versions",
          objections: [
            ...ownerReferences.map(
              (owner) =>
                `metadata.ownerReferences names ${owner.kind} ${owner.name}, which writes it and takes it away with itself`,
            ),
            ...differences(object.spec, planned.spec, scope),
          ],
          appliedBy: toolOf(object),
        },
      ];
    }),
  );
  return all.flat();
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
