import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { strangersIn } from "../fleet/strangers.ts";
import { brief } from "../lib/brief.ts";
import { madeIn } from "../lib/journal.ts";
import { serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { Journals } from "../lib/taken-back.ts";
import type { ReleaseSettings } from "./config.ts";
import { isMade } from "./workload.ts";

/** The services that the program makes, as `namespace/service`. */
export function madeServices({ services }: Pick<ReleaseSettings, "services">): readonly string[] {
  return services
    .filter(isMade)
    .map(({ name: service, namespace }) => serviceKey({ service, namespace }))
    .sort();
}

const namespaceOf = (key: string) => key.split("/")[0] ?? "";
const serviceOf = (key: string) => key.split("/")[1] ?? "";

/** A namespace in one cluster, and what others have there. */
interface Shared {
  readonly cluster: string;
  readonly namespace: string;
  readonly strangers: readonly string[];
  /** Why that is not known. @default it is */
  readonly unknown?: string;
}

/**
 * Namespaces that the program has made and that hold objects of others: Pulumi would delete them together with
 * the last service there. While a service is there, such a namespace is marked to stay; one that is not marked keeps its
 * service.
 */
export class SharedNamespaces {
  readonly #kept: readonly Shared[];
  readonly #leaving: readonly Shared[];

  private constructor(kept: readonly Shared[], leaving: readonly Shared[]) {
    this.#kept = kept;
    this.#leaving = leaving;
  }

  /** Nobody has looked for any. */
  static readonly NONE = new SharedNamespaces([], []);

  /**
   * Looks into the namespaces that the program makes, and those that it has made before.
   *
   * @param clusters those that answer
   * @param stack the stack's name
   */
  static async find(
    clusters: readonly ClusterClient[],
    settings: Pick<ReleaseSettings, "services">,
    journals: Journals,
    stack: string,
  ): Promise<SharedNamespaces> {
    const now = madeServices(settings);
    const look = async (cluster: ClusterClient, namespace: string, made: readonly string[]) => {
      const own = made.filter((key) => namespaceOf(key) === namespace).map(serviceOf);
      const at = { cluster: cluster.name, namespace };
      try {
        return { ...at, strangers: await strangersIn(cluster, namespace, own) };
      } catch (error) {
        return { ...at, strangers: [], unknown: explain(error) };
      }
    };
    const namespaces = (keys: readonly string[]) => [...new Set(keys.map(namespaceOf))];
    const found = await Promise.all(
      clusters.map(async (cluster) => {
        const before = madeIn(journals.get(cluster.name) ?? [], stack);
        const made = [...now, ...before];
        const gone = namespaces(before).filter((each) => !namespaces(now).includes(each));
        return Promise.all([
          Promise.all(namespaces(now).map(async (each) => look(cluster, each, made))),
          Promise.all(gone.map(async (each) => look(cluster, each, made))),
        ]);
      }),
    );
    return new SharedNamespaces(
      found.flatMap(([kept]) => kept),
      found.flatMap(([, leaving]) => leaving),
    );
  }

  /** Whether a cluster's namespace stays when the last service there goes. */
  stays(cluster: string, namespace: string): boolean {
    return this.#kept.some(
      (each) =>
        each.cluster === cluster && each.namespace === namespace && each.strangers.length > 0,
    );
  }

  /** Namespaces that would go though others have objects in them, or nobody knows. */
  get problems(): readonly Problem[] {
    return this.#leaving.flatMap(({ cluster, namespace, strangers, unknown }) =>
      strangers.length === 0 && unknown === undefined
        ? []
        : [
            {
              path: "services",
              rule:
                unknown === undefined
                  ? `must have a service in namespace ${namespace} as long as others have objects there, which would be deleted with it: ${brief(strangers)} in ${cluster}`
                  : `must have a service in namespace ${namespace}: it would be deleted, and whether others have objects there is not known: ${cluster}: ${unknown}`,
              fix: "Add the service again, without a canary, and run pulumi up: that marks the namespace to stay. Then take the service out.",
            },
          ],
    );
  }
}
