import { until } from "../lib/until.ts";
import { podKey, type MeshCluster } from "./cluster.ts";
import { virtualHostsOf } from "./envoy.ts";
import { explain } from "./explain.ts";
import { behind } from "./records/serves.ts";

/** The rules by which every Envoy that routes to a service must do so. */
export interface ExpectedRules {
  /** The service, as `namespace/service`. */
  readonly key: string;
  /** Names under which requests reach it. */
  readonly hosts: readonly string[];
  /** Rules of its VirtualService. */
  readonly http: readonly unknown[];
}

/**
 * Waits until every Envoy of a cluster that routes to the services has their rules.
 *
 * @param timeoutMs in milliseconds; an Envoy that does not answer may add the bound of one answer
 * @throws naming those that do not, or do not answer
 */
export async function confirmRules(
  cluster: MeshCluster,
  services: readonly ExpectedRules[],
  timeoutMs: number,
): Promise<void> {
  const hosts = services.flatMap((service) => service.hosts);
  await until(
    `every Envoy of ${cluster.name} to have the rules of ${services.map(({ key }) => key).join(", ")}`,
    async () => {
      const late = await Promise.all(
        (await cluster.proxies()).map(async (pod): Promise<readonly string[]> => {
          const { namespace, name } = podKey(pod);
          const of = [`${namespace}/${name}`];
          try {
            const held = await virtualHostsOf(cluster, pod, hosts);
            return services.flatMap((service) => {
              const own = Object.entries(held).filter(([, { domains }]) =>
                domains.some((domain) => service.hosts.includes(domain)),
              );
              const virtualHosts = Object.fromEntries(own);
              return behind({ http: service.http }, [{ of, virtualHosts }]).map(
                (envoy) => `${envoy} has others of ${service.key}`,
              );
            });
          } catch (error) {
            return [`${namespace}/${name} does not answer (${explain(error)})`];
          }
        }),
      );
      if (late.flat().length > 0) throw new Error(late.flat().sort().join(", "));
    },
    { timeoutMs },
  );
}
