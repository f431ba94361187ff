import { readFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
import type { EnvoyAnswers, EnvoyService } from "../../helpers/envoy-answers.ts";

function recorded(name: string): unknown {
  const file = path.join(import.meta.dirname, "recorded", `${name}.json`);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** What a pod with a sidecar has, as the lab's API server has given it, without addresses and the node's name. */
export const recordedPod = z
  .object({
    metadata: z.looseObject({ ownerReferences: z.array(z.looseObject({})) }),
    spec: z.looseObject({}),
    status: z.looseObject({}),
  })
  .parse(recorded("pod"));

/** What the lab's istiod tells of a proxy beside its name and cluster. */
export const recordedConnection = z.looseObject({}).parse(recorded("connection"));

const splitRoute = z.looseObject({
  route: z.looseObject({
    weighted_clusters: z.looseObject({
      clusters: z.array(z.looseObject({ name: z.string(), weight: z.number() })),
    }),
  }),
});
const routeTable = z.looseObject({
  route_config: z.looseObject({
    virtual_hosts: z.array(z.looseObject({ routes: z.array(z.unknown()) })),
  }),
});

/** The route table of a sidecar in the lab with the virtual hosts of the lab's service, at 0 %. */
const recordedTable = routeTable.parse(recorded("routes"));
/** What it has of the endpoints of the service's canary. */
const recordedEndpoints = z.looseObject({ name: z.string() }).parse(recorded("endpoints"));

/** The name of the lab's service, which is in namespace `user`. */
const RECORDED_NAME = /user-service/g;

/** The same for another service, in the same namespace. */
function renamed<T>(value: T, { host }: EnvoyService): T {
  const [service = ""] = host.split(".");
  return JSON.parse(JSON.stringify(value).replace(RECORDED_NAME, service)) as T;
}

/** A route at the service's weight, if it is one that splits requests; Envoy is not told of a version that gets nothing. */
function atWeight(route: unknown, { stable, canary, weight }: EnvoyService): unknown {
  const { success, data } = splitRoute.safeParse(route);
  if (!success) return route;
  const { weighted_clusters: split } = data.route;
  const [only] = split.clusters;
  const [direction, port, , to] = only?.name.split("|") ?? [];
  const clusters = [
    { version: stable, weight: 100 - weight },
    { version: canary, weight },
  ]
    .filter((each) => each.weight > 0)
    .map((each) => ({
      ...only,
      name: [direction, port, each.version, to].join("|"),
      weight: each.weight,
    }));
  return { ...data, route: { ...data.route, weighted_clusters: { ...split, clusters } } };
}

/** Makes an answer once for each state of the services: it is large. */
function onceFor(
  make: (services: readonly EnvoyService[]) => unknown,
): (services: readonly EnvoyService[]) => string {
  let last: { readonly of: string; readonly answer: string } | undefined;
  return (services) => {
    const of = JSON.stringify(services);
    if (last?.of !== of) last = { of, answer: JSON.stringify(make(services)) };
    return last.answer;
  };
}

/** What a sidecar of the lab would say if it had other services instead of the lab's. */
export function recordedAnswers(): EnvoyAnswers {
  return {
    routes: onceFor((services) => ({
      configs: [
        {
          ...recordedTable,
          last_updated: new Date().toISOString(),
          route_config: {
            ...recordedTable.route_config,
            virtual_hosts: services.flatMap((service) =>
              renamed(recordedTable.route_config.virtual_hosts, service).map((each) => ({
                ...each,
                routes: each.routes.map((route) => atWeight(route, service)),
              })),
            ),
          },
        },
      ],
    })),
    endpoints: onceFor((services) => ({
      cluster_statuses: services.map((service) => renamed(recordedEndpoints, service)),
    })),
  };
}
