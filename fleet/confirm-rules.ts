import type { RoutingRules } from "../lib/routing/routing.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { Behind } from "./ask-pods.ts";
import { confirmEvery, type ConfirmOptions } from "./confirm-every.ts";
import { clusterRouting } from "./routing/index.ts";

/** The rules by which every Envoy that routes to a service must do so. */
export interface ExpectedRules {
  /** The service, as `namespace/service`. */
  readonly key: string;
  /** Names under which requests reach it. */
  readonly hosts: readonly string[];
  readonly rules: RoutingRules;
}

/**
 * Waits until every Envoy of a cluster that routes to the services has their rules.
 *
 * @throws naming those that do not, or do not answer
 */
export async function confirmRules(
  cluster: ClusterClient,
  services: readonly ExpectedRules[],
  options: ConfirmOptions,
): Promise<void> {
  const hosts = services.flatMap((service) => service.hosts);
  await confirmEvery(
    cluster,
    `every Envoy of ${cluster.name} to have the rules of ${services.map(({ key }) => key).join(", ")}`,
    services.map(({ key }) => key),
    async (pod) => {
      const { namespace, name } = podKey(pod);
      const of = [`${namespace}/${name}`];
      const held = await clusterRouting.held(cluster, pod, hosts);
      const routed = services.map((service) => {
        const own = Object.entries(held).filter(([, { domains }]) =>
          domains.some((domain) => service.hosts.includes(domain)),
        );
        return { service, virtualHosts: Object.fromEntries(own), any: own.length > 0 };
      });
      const late = routed.filter(
        ({ service, virtualHosts }) =>
          clusterRouting.behind(service.rules, [{ of, virtualHosts }]).length > 0,
      );
      if (late.length > 0) {
        throw new Behind(
          `still has the old routes of ${late.map(({ service }) => service.key).join(", ")}`,
        );
      }
      return { value: true, holds: routed.map(({ any }) => any) };
    },
    options,
  );
}
