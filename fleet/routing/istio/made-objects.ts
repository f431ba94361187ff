import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import { OWNED, REPLACES } from "../../../lib/routing/routing-annotations.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { allPages } from "../../pages.ts";
import type { MadeObject } from "../cluster-routing.ts";
import { objectList, routingObject } from "./object-list.ts";
import { PLURALS, ROUTING_KINDS } from "./routing-scope.ts";

const list = objectList(routingObject);

/** The objects in a namespace that this program has made to route requests. */
export async function madeObjects(
  cluster: ClusterClient,
  namespace: string,
): Promise<readonly MadeObject[]> {
  const found = await Promise.all(
    ROUTING_KINDS.map(async (kind) => {
      const items = await allPages(async (page) =>
        list.parse(
          await cluster.custom.listNamespacedCustomObject({
            ...{ group: GROUP, version: VERSION, plural: PLURALS[kind], namespace },
            ...page,
          }),
        ),
      );
      return items.flatMap(({ metadata: { name, annotations } }): MadeObject[] =>
        Object.entries(OWNED).every(([key, value]) => annotations[key] === value)
          ? [{ kind, namespace, name, replaces: annotations[REPLACES] }]
          : [],
      );
    }),
  );
  return found.flat();
}

/** Makes an object that somebody has deleted, as the field manager that has made it before. */
export async function remakeObject(
  cluster: ClusterClient,
  object: KubernetesObject,
  manager: string,
): Promise<void> {
  await cluster.objects.patch(
    object,
    undefined,
    undefined,
    manager,
    true,
    PatchStrategy.ServerSideApply,
  );
}
