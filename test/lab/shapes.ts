import * as z from "zod";
import { clustersReadBy } from "../../fleet/checks/remote-clusters.ts";
import { ClusterClient, podKey } from "../../fleet/cluster-client.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "../../fleet/istiod-pods.ts";
import { getJson } from "../../fleet/pod-http.ts";
import { proxyId } from "../../fleet/proxy-pod.ts";
import type { LabService } from "../../lab/mesh/service.ts";
import { ADMIN_PORT, serviceHost } from "../../lib/names.ts";
import { literal } from "../../lib/re2.ts";
import { envoyCluster } from "../../lib/routing/istio/envoy-names.ts";
import { serviceNames, startServers } from "../bench/fleet/servers.ts";
import { kubeconfigText } from "../helpers/fake-api-server.ts";

/**
 * The paths of all values in a JSON document, with the kind of each, such as `$.routes[].match.prefix: string`. Two
 * documents of one shape have the same fields: whoever can read one can read the other.
 */
function shapeOf(value: unknown, at = "$"): ReadonlySet<string> {
  if (Array.isArray(value)) {
    return new Set(value.flatMap((each) => [...shapeOf(each, `${at}[]`)]));
  }
  if (typeof value === "object" && value !== null) {
    return new Set(
      Object.entries(value).flatMap(([key, each]) => [...shapeOf(each, `${at}.${key}`)]),
    );
  }
  return new Set([`${at}: ${value === null ? "null" : typeof value}`]);
}

const dump = z.looseObject({
  configs: z.array(
    z.looseObject({
      route_config: z.looseObject({ virtual_hosts: z.array(z.unknown()).default([]) }),
    }),
  ),
});
const connections = z.array(z.looseObject({ proxy: z.string() }));

/** What a cluster answers of a service's pod and its proxy, by what was asked. */
async function answersOf(
  cluster: ClusterClient,
  { namespace, host, canary }: Pick<LabService, "namespace" | "host" | "canary">,
): Promise<Readonly<Record<string, unknown>>> {
  const pods = await cluster.proxies();
  const pod = pods.find((each) => podKey(each).namespace === namespace);
  if (!pod) throw new Error(`${cluster.name} has no proxy in ${namespace}`);
  const { configs } = dump.parse(
    await getJson(cluster, pod, ADMIN_PORT, "/config_dump?resource=dynamic_route_configs"),
  );
  const filter = `^${literal(envoyCluster(host, canary))}$`;
  const istiods = await istiodPods(cluster);
  const known = await Promise.all(
    istiods.map((each) => getJson(cluster, each, ISTIOD_HTTP_PORT, "/debug/syncz")),
  );
  const { labels, ...metadata } = pod.metadata ?? {};
  return {
    // The names of labels are the user's.
    pod: {
      metadata: { ...metadata, labels: Object.values(labels ?? {}) },
      spec: pod.spec,
      status: pod.status,
    },
    // Those of other services are none of the simulation's.
    routes: configs
      .map(({ route_config: { virtual_hosts: all, ...table }, ...config }) => ({
        ...config,
        route_config: {
          ...table,
          virtual_hosts: all.filter((each) => JSON.stringify(each).includes(host)),
        },
      }))
      .filter(({ route_config: { virtual_hosts: own } }) => own.length > 0),
    endpoints: await getJson(
      cluster,
      pod,
      ADMIN_PORT,
      `/clusters?format=json&filter=${encodeURIComponent(filter)}`,
    ),
    connection: known
      .flatMap((each) => connections.parse(each))
      .filter((each) => each.proxy === proxyId(pod)),
    reads: await Promise.all(istiods.map((each) => clustersReadBy(cluster, each))).then((all) =>
      all.map((each) => Object.values(each)),
    ),
  };
}

/**
 * The shapes of all that the program reads of a proxy and its istiods, as a cluster of the lab answers, and as the
 * simulated fleet of the benchmark does.
 *
 * @param service one whose pods send no requests
 */
export async function shapesOf(
  cluster: ClusterClient,
  service: LabService,
): Promise<
  Readonly<
    Record<string, { readonly real: ReadonlySet<string>; readonly simulated: ReadonlySet<string> }>
  >
> {
  const [server] = await startServers({ clusters: 1, proxies: 1, services: 1, istiods: 1 });
  if (!server) throw new Error("no server was started");
  server.reads.set("istiod-0", { [server.cluster]: "synced" });
  const context = "simulated";
  const kubeconfig = kubeconfigText({ [context]: server.url });
  const fleet = new ClusterClient({ name: server.cluster, context, kubeconfig });
  try {
    const [name = ""] = serviceNames(1);
    const simulated = await answersOf(fleet, {
      namespace: "user",
      host: serviceHost({ service: name, namespace: "user" }, "cluster.local"),
      canary: service.canary,
    });
    const real = await answersOf(cluster, service);
    return Object.fromEntries(
      Object.keys(real).map((what) => [
        what,
        { real: shapeOf(real[what]), simulated: shapeOf(simulated[what]) },
      ]),
    );
  } finally {
    server.stop();
  }
}
