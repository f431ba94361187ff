import type { FoundWorkload } from "../lib/existing.ts";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import type { SaidRoute } from "../lib/routing/said.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { findWorkload } from "./find-workload.ts";
import { allPages } from "./pages.ts";
import { clusterRouting } from "./routing/index.ts";

/** A Service of one cluster, its pods, and what routes to it by its name. */
export interface FoundService extends ServiceName {
  readonly workload: FoundWorkload;
  readonly said: SaidRoute;
}

/** Namespaces in which nobody runs services of their own. */
const SYSTEM = /^(istio-|kube-)/;

/** Services that are asked about at once: each takes five requests. */
const AT_ONCE = 10;

/** The API server's own Service, which has no pods. */
const API_SERVER = "default/kubernetes";

/**
 * The Services of a cluster, but for those of the system.
 *
 * @param namespaces only in these. @default in all
 * @throws if the API server does not answer, or refuses to
 */
export async function findServices(
  cluster: ClusterClient,
  namespaces: readonly string[] = [],
): Promise<readonly FoundService[]> {
  const lists =
    namespaces.length === 0
      ? [await allPages((page) => cluster.core.listServiceForAllNamespaces(page))]
      : await Promise.all(
          namespaces.map((namespace) =>
            allPages((page) => cluster.core.listNamespacedService({ namespace, ...page })),
          ),
        );
  const names = lists
    .flat()
    .map(({ metadata }) => ({
      service: metadata?.name ?? "",
      namespace: metadata?.namespace ?? "",
    }))
    .filter((name) => !SYSTEM.test(name.namespace) && serviceKey(name) !== API_SERVER);
  const found: FoundService[] = [];
  for (let i = 0; i < names.length; i += AT_ONCE) {
    found.push(
      ...(await Promise.all(
        names.slice(i, i + AT_ONCE).map(async (name) => {
          const [workload, said] = await Promise.all([
            findWorkload(cluster, name),
            clusterRouting.said(cluster, name),
          ]);
          return { ...name, workload, said };
        }),
      )),
    );
  }
  return found;
}

/** What the sidecars of a cluster know of it. */
export interface ClusterIdentity {
  /** Its name in the mesh. @default no sidecar says it */
  readonly name: string | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly domain: string;
}

/** What a cluster is called in its mesh, as Istio has told a sidecar. (Istio: the injection template) */
export async function identityOf(cluster: ClusterClient): Promise<ClusterIdentity> {
  for (const pod of await cluster.podsWithProxy()) {
    // The list leaves out what the containers are told.
    const { spec } = await cluster.core.readNamespacedPod(podKey(pod));
    const proxy = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find(
      ({ name }) => name === "istio-proxy",
    );
    const name = proxy?.env?.find((each) => each.name === "ISTIO_META_CLUSTER_ID")?.value;
    if (name === undefined) continue;
    const args = proxy?.args ?? [];
    const domain = /\.svc\.(\S+)$/.exec(args[args.indexOf("--domain") + 1] ?? "")?.[1];
    return { name, domain: domain ?? "cluster.local" };
  }
  return { name: undefined, domain: "cluster.local" };
}
