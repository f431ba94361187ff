import type { V1Pod } from "@kubernetes/client-node";
import * as z from "zod";

import type { MeshCluster } from "./cluster.ts";
import { ADMIN_PORT } from "./envoy.ts";
import { getJson } from "./pod-http.ts";

const clusterStatuses = z.looseObject({
  cluster_statuses: z
    .array(
      z.looseObject({
        name: z.string(),
        host_statuses: z
          .array(
            z.looseObject({
              address: z
                .looseObject({
                  socket_address: z
                    .looseObject({ address: z.string(), port_value: z.number() })
                    .optional(),
                })
                .optional(),
              health_status: z.looseObject({ eds_health_status: z.string().optional() }),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});

/** Where an Envoy sends requests of one of its clusters to. */
export interface Endpoint {
  /** Its IP address and port; undefined for one inside of Envoy. */
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** Whether istiod says that it is ready. */
  readonly healthy: boolean;
}

/** The endpoints that a proxy has for one of Envoy's clusters, or undefined if it does not know that. */
export async function endpointsOf(
  cluster: MeshCluster,
  pod: V1Pod,
  envoyCluster: string,
): Promise<readonly Endpoint[] | undefined> {
  const filter = encodeURIComponent(`^${envoyCluster.replace(/[.|]/g, "\\$&")}$`);
  const { cluster_statuses: found } = clusterStatuses.parse(
    await getJson(cluster, pod, ADMIN_PORT, `/clusters?format=json&filter=${filter}`),
  );
  return found
    .find(({ name }) => name === envoyCluster)
    ?.host_statuses.map(({ address, health_status: health }) => ({
      address: address?.socket_address?.address,
      port: address?.socket_address?.port_value,
      healthy: health.eds_health_status === "HEALTHY",
    }));
}
