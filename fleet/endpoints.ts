import type { V1Pod } from "@kubernetes/client-node";
import * as z from "zod";

import type { ClusterClient } from "./cluster-client.ts";
import { ADMIN_PORT } from "../lib/names.ts";
import { literal } from "../lib/re2.ts";
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
              // A number as text, as JSON has it for 64 bits; left out while it is 0.
              stats: z
                .array(z.looseObject({ name: z.string(), value: z.coerce.number().default(0) }))
                .default([]),
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
  /** Requests that this Envoy has sent it. */
  readonly requests: number;
}

/**
 * The endpoints that a proxy has for some of Envoy's clusters, by their names; those that it does not
 * know are left out.
 */
export async function endpointsOf(
  cluster: ClusterClient,
  pod: V1Pod,
  envoyClusters: readonly string[],
): Promise<ReadonlyMap<string, readonly Endpoint[]>> {
  if (envoyClusters.length === 0) return new Map();
  const filter = encodeURIComponent(`^(${envoyClusters.map(literal).join("|")})$`);
  const { cluster_statuses: found } = clusterStatuses.parse(
    await getJson(cluster, pod, ADMIN_PORT, `/clusters?format=json&filter=${filter}`),
  );
  return new Map(
    found.map(({ name, host_statuses: hosts }) => [
      name,
      hosts.map(({ address, health_status: health, stats }) => ({
        address: address?.socket_address?.address,
        port: address?.socket_address?.port_value,
        healthy: health.eds_health_status === "HEALTHY",
        requests: stats.find((stat) => stat.name === "rq_total")?.value ?? 0,
      })),
    ]),
  );
}
