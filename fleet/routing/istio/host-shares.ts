import * as z from "zod";
import type { HostShare } from "../../../lib/ingress-paths.ts";
import { serviceKey } from "../../../lib/names.ts";
import { GROUP, VERSION, VIRTUAL_SERVICES } from "../../../lib/routing/istio/kinds.ts";
import { INGRESS_PATHS } from "../../../lib/routing/routing-annotations.ts";
import { VERSION_LABELS } from "../../../lib/routing/version-labels.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { allPages } from "../../pages.ts";
import { objectList, routingObject } from "./object-list.ts";

const list = objectList(
  routingObject.extend({
    spec: z.looseObject({ hosts: z.array(z.string()).default([]) }),
  }),
);

const path = z.object({
  exact: z.string().optional(),
  prefix: z.string().optional(),
  regex: z.string().optional(),
});
const said = z.object({ paths: z.array(path).optional(), others: z.array(path).optional() });

/**
 * What the services that this program releases, whichever stack they are of, have of hosts of the gateway.
 *
 * @throws naming an annotation that is not as this program writes it
 */
export async function hostSharesOf(
  cluster: ClusterClient,
  hosts: readonly string[],
): Promise<readonly (HostShare & { readonly host: string })[]> {
  const items = await allPages(async (page) =>
    list.parse(
      await cluster.custom.listCustomObjectForAllNamespaces({
        ...{ group: GROUP, version: VERSION, resourcePlural: VIRTUAL_SERVICES },
        labelSelector: VERSION_LABELS.stable,
        ...page,
      }),
    ),
  );
  return items.flatMap(({ metadata: { name, namespace, annotations }, spec }) => {
    const service = serviceKey({ service: name, namespace });
    return hosts
      .filter((host) => spec.hosts.includes(host))
      .map((host) => ({
        host,
        service,
        ...said.parse(JSON.parse(annotations[INGRESS_PATHS] ?? "{}")),
      }));
  });
}
