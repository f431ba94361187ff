import type { ServiceName } from "../../../lib/names.ts";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import { saidRoute } from "../../../lib/routing/istio/said-route.ts";
import type { SaidRoute } from "../../../lib/routing/said.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { isNotFound } from "../../explain.ts";
import { PLURALS } from "./routing-scope.ts";

/** What the objects of a service's name say, whoever has made them. */
export async function saidIn(
  cluster: ClusterClient,
  { service: name, namespace }: ServiceName,
): Promise<SaidRoute> {
  const [route, versions] = await Promise.all(
    (["VirtualService", "DestinationRule"] as const).map(async (kind): Promise<unknown> => {
      try {
        return await cluster.custom.getNamespacedCustomObject({
          ...{ group: GROUP, version: VERSION, plural: PLURALS[kind], namespace, name },
        });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }),
  );
  return saidRoute(route, versions);
}
