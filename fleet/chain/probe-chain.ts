import type { V1Pod } from "@kubernetes/client-node";
import { markHeaders, markText, type Mark } from "../../lib/mark.ts";
import { crossClusterHost, serviceHost, type ServiceName } from "../../lib/names.ts";
import { routing } from "../../lib/routing/index.ts";
import { answersOf } from "../ask-pods.ts";
import type { ChainFinding } from "../checks/check.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { endpointsOf } from "../endpoints.ts";
import { explain } from "../explain.ts";
import { get } from "../pod-http.ts";
import { proxyIdentity } from "../proxy-pod.ts";
import { lostMarks, type Calls, type Member } from "./lost-marks.ts";

/** A service of a chain, and how its pods are reached. */
interface ChainService extends ServiceName, Member {
  /** Port that the container listens on. */
  readonly port: number;
}

/** A chain, and the requests that are sent through it. */
export interface ChainProbe {
  readonly services: readonly ChainService[];
  readonly mark: Mark;
  /** Path of the requests. */
  readonly path: string;
  /** Requests to each entry's canary in each cluster. */
  readonly requests: number;
  /** Their headers, beside the mark. */
  readonly headers: Readonly<Record<string, string>>;
  /** Services that no probe is expected at, as `namespace/service`. */
  readonly without: readonly string[];
  readonly clusterDomain: string;
}

/** One of Envoy's clusters, and what it leads to. */
interface Upstream {
  readonly envoyCluster: string;
  readonly to: string;
  readonly toVersion: string;
}

function versionsOf({ stable, canary }: Member): readonly string[] {
  return canary === undefined ? [stable] : [stable, canary];
}

/** All ways to the services of the chain that a proxy of a cluster may have. */
function upstreams(
  { services, clusterDomain }: ChainProbe,
  clusters: readonly ClusterClient[],
): readonly Upstream[] {
  return services.flatMap((service) => {
    const hosts = [
      serviceHost(service, clusterDomain),
      ...clusters.map(({ name }) => crossClusterHost(service, name)),
    ];
    return hosts.flatMap((host) =>
      versionsOf(service).map((version) => ({
        envoyCluster: routing.envoyCluster(host, version),
        to: service.key,
        toVersion: version,
      })),
    );
  });
}

/** The pods of the version of a service that serves marked requests. */
function servingPods(cluster: ClusterClient, { service, namespace, stable, canary }: ChainService) {
  return cluster
    .proxies(`app=${service},version=${canary ?? stable}`)
    .then((pods) => pods.filter(({ metadata }) => metadata?.namespace === namespace));
}

/** A service in one cluster, and its pods that marked requests reach: theirs are the calls that count. */
interface Serving {
  readonly cluster: ClusterClient;
  readonly service: ChainService;
  readonly pods: readonly V1Pod[];
}

/** What the pods have sent so far, by the counter that tells it: one for each proxy and endpoint. */
async function count(
  { cluster, service }: Serving,
  ways: readonly Upstream[],
): Promise<readonly (readonly [counter: string, calls: Calls])[]> {
  const counts = await answersOf(
    () => servingPods(cluster, service),
    async (pod) => {
      const envoyClusters = ways.map(({ envoyCluster }) => envoyCluster);
      return [proxyIdentity(pod), await endpointsOf(cluster, pod, envoyClusters)] as const;
    },
  );
  return counts.flatMap(([proxy, known]) =>
    ways.flatMap(({ envoyCluster, to, toVersion }) =>
      (known.get(envoyCluster) ?? []).map(({ address, port, requests }) => {
        const counter = `${cluster.name} ${proxy} ${envoyCluster} ${address ?? ""}:${port ?? ""}`;
        const calls = {
          cluster: cluster.name,
          from: service.key,
          fromVersion: service.canary ?? service.stable,
          to,
          toVersion,
          requests,
        };
        return [counter, calls] as const;
      }),
    ),
  );
}

/** Sends the probes of one cluster; says which of its entries has not answered them with 200. */
async function send(
  { mark, path, requests, headers }: ChainProbe,
  { cluster, service, pods }: Serving,
  signal: AbortSignal,
): Promise<readonly ChainFinding[]> {
  try {
    for (let i = 0; i < requests; i++) {
      signal.throwIfAborted();
      const pod = pods[i % pods.length];
      if (!pod) throw new Error("no pod of it is ready");
      await get(cluster, pod, service.port, path, { ...headers, ...markHeaders(mark) });
    }
    return [];
  } catch (error) {
    return [
      {
        cluster: cluster.name,
        seen: `${service.canary ?? ""} of ${service.key} does not answer a probe: ${explain(error)}`,
        fix: "See the logs of its pods; chain.probe sets path and headers of the probes, which must be answered with 200.",
        mayHeal: true,
      },
    ];
  }
}

/**
 * Sends marked requests to the canaries of a chain's entries in every cluster, and tells from the
 * proxies' own counters whether all services have propagated the mark.
 *
 * @param signal sends no more requests
 * @throws if a proxy does not tell its counters
 */
export async function probeChain(
  probe: ChainProbe,
  clusters: readonly ClusterClient[],
  signal: AbortSignal,
): Promise<readonly ChainFinding[]> {
  const ways = upstreams(probe, clusters);
  const serving = await Promise.all(
    clusters.flatMap((cluster) =>
      probe.services.map(async (service) => ({
        cluster,
        service,
        pods: await servingPods(cluster, service),
      })),
    ),
  );
  const countAll = async () =>
    new Map((await Promise.all(serving.map((each) => count(each, ways)))).flat());
  const entries = serving.filter(({ service }) => service.isEntry && service.canary !== undefined);
  const before = await countAll();
  const failed = (await Promise.all(entries.map((each) => send(probe, each, signal)))).flat();
  if (failed.length > 0) return failed;
  const after = await countAll();
  const calls = [...after].map(([counter, each]) => ({
    ...each,
    requests: Math.max(0, each.requests - (before.get(counter)?.requests ?? 0)),
  }));
  const findings = lostMarks(probe.services, calls, {
    requests: probe.requests * entries.length,
    without: probe.without,
    mark: markText(probe.mark),
  });
  // A pod that has gone meanwhile has taken its counts with it: probes are missing that nobody has lost.
  const isDisturbed = [...before.keys()].some((counter) => !after.has(counter));
  return isDisturbed ? findings.map((finding) => ({ ...finding, mayHeal: true })) : findings;
}
