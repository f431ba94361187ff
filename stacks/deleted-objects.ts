import type { KubernetesObject } from "@kubernetes/client-node";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import type { MadeObject } from "../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import type { RemadeObject } from "../components/remade-object.ts";
import { replacesNothing, type DeployedCluster } from "../lib/deployed.ts";
import { crossClusterName, serviceKey } from "../lib/names.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { scopeIn } from "./routing-records.ts";

/** An object as Pulumi has it, beside fields of its own. */
type Registered = Required<KubernetesObject> & { readonly spec: object };

/** What is left of the objects in one cluster. */
interface Found {
  readonly cluster: string;
  readonly made: readonly MadeObject[];
}

type ObjectName = Pick<MadeObject, "kind" | "namespace" | "name">;

const isSame = (one: ObjectName, other: ObjectName) =>
  one.kind === other.kind && one.namespace === other.namespace && one.name === other.name;

function textOf({ kind, namespace, name }: ObjectName): string {
  return `${kind} ${namespace}/${name}`;
}

/**
 * The routing objects of a service in a cluster that must be there if anything of it is, there or in another cluster
 * about this one. The hosts that name a cluster are only made once that one is released too.
 */
function expected(
  settings: ReleaseSettings,
  service: ServiceSettings,
  cluster: string,
  released: readonly string[],
): readonly ObjectName[] {
  const { objects, namespace } = scopeIn(settings, service, cluster);
  const unreleased = settings.clusters
    .filter(({ name }) => !released.includes(name))
    .map(({ name }) => crossClusterName(service.name, name));
  return Object.entries(objects).flatMap(([kind, names]) =>
    names.filter((name) => !unreleased.includes(name)).map((name) => ({ kind, namespace, name })),
  );
}

/**
 * Routing objects that somebody has deleted, though updates have made them. Pulumi compares with its own state alone, and
 * would say that nothing has changed: so such an object is registered with another annotation, and made anew before
 * Pulumi updates it, which it can only do with what is there.
 */
export class DeletedObjects {
  readonly #clusters: readonly ClusterClient[];
  readonly #found: readonly Found[];
  readonly #deleted: ReadonlyMap<string, readonly ObjectName[]>;
  /** Why it is not known what there is, by cluster. */
  readonly unread: ReadonlyMap<string, string>;
  /** What the annotation REPLACES says of what is made anew. */
  readonly replaces = replacesNothing(new Date());

  private constructor(
    clusters: readonly ClusterClient[],
    found: readonly Found[],
    deleted: ReadonlyMap<string, readonly ObjectName[]>,
    unread: ReadonlyMap<string, string>,
  ) {
    this.#clusters = clusters;
    this.#found = found;
    this.#deleted = deleted;
    this.unread = unread;
  }

  /** Nobody has looked for any. */
  static readonly NONE = new DeletedObjects([], [], new Map(), new Map());

  /** Looks for them in all clusters that answer. */
  static async find(
    settings: ReleaseSettings,
    clusters: readonly ClusterClient[],
    deployed: readonly DeployedCluster[],
  ): Promise<DeletedObjects> {
    const namespaces = [...new Set(settings.services.map(({ namespace }) => namespace))];
    const unread = new Map<string, string>();
    const found = await Promise.all(
      clusters.map(async (cluster): Promise<Found> => {
        const about = deployed.find(({ name }) => name === cluster.name);
        if (!about || about.unreachable !== undefined) return { cluster: cluster.name, made: [] };
        try {
          const made = await Promise.all(
            namespaces.map((namespace) => clusterRouting.made(cluster, namespace)),
          );
          return { cluster: cluster.name, made: made.flat() };
        } catch (error) {
          unread.set(cluster.name, explain(error));
          return { cluster: cluster.name, made: [] };
        }
      }),
    );
    const isReadable = (cluster: string) =>
      !unread.has(cluster) &&
      deployed.some(({ name, unreachable }) => name === cluster && unreachable === undefined);
    const deleted = found.map(({ cluster, made }) => {
      const missing = settings.services.flatMap((service) => {
        const key = serviceKey({ service: service.name, namespace: service.namespace });
        const released = deployed.flatMap(({ name, routes }) => (routes.has(key) ? [name] : []));
        const objects = expected(settings, service, cluster, released);
        const isThere = (object: ObjectName) => made.some((each) => isSame(each, object));
        // With the CRDs, all of it goes at once; other clusters still have the host that names this one.
        const crossing = {
          ...{ kind: "ServiceEntry", namespace: service.namespace },
          name: crossClusterName(service.name, cluster),
        };
        const isNamed = found.some(
          (other) => other.cluster !== cluster && other.made.some((each) => isSame(each, crossing)),
        );
        return isReadable(cluster) && (isNamed || objects.some(isThere))
          ? objects.filter((object) => !isThere(object))
          : [];
      });
      return [cluster, missing] as const;
    });
    return new DeletedObjects(clusters, found, new Map(deleted), unread);
  }

  /** Whether a service's VirtualService is gone. */
  lacksRoute(cluster: string, key: string): boolean {
    const [namespace = "", name = ""] = key.split("/");
    return this.#isDeleted(cluster, { kind: "VirtualService", namespace, name });
  }

  #isDeleted(cluster: string, object: ObjectName): boolean {
    return this.#deleted.get(cluster)?.some((each) => isSame(each, object)) ?? false;
  }

  /** Whether Pulumi is shown that objects are gone. */
  get isShown(): boolean {
    return !pulumi.runtime.isDryRun();
  }

  /** What is gone, for a person. @returns undefined if nothing is */
  get warning(): string | undefined {
    const lines = [...this.#deleted].flatMap(([cluster, objects]) =>
      objects.map((object) => ` - ${cluster}: ${textOf(object)}`),
    );
    if (lines.length === 0) return undefined;
    return [
      "Routing objects are not there that belong to what is. Somebody has deleted them, or an update has not come to them:",
      ...lines,
      this.isShown
        ? "They are made anew."
        : "The preview does not show it: pulumi up makes them anew.",
    ].join("\n");
  }

  /** How an object of a cluster is registered, so that Pulumi makes it anew if it is gone. */
  remade(cluster: string, object: ObjectName): RemadeObject {
    const made = this.#found
      .find((each) => each.cluster === cluster)
      ?.made.find((each) => isSame(each, object));
    if (!this.#isDeleted(cluster, object)) return { replaces: made?.replaces };
    // A preview of an update fails with what is not there.
    if (!this.isShown) return { ignoreChanges: ["metadata", "spec"] };
    return { replaces: this.replaces, hooks: { beforeUpdate: [this.#remake(cluster)] } };
  }

  #remake(name: string): pulumi.ResourceHookFunction {
    return async ({ newInputs = {}, oldInputs = {}, oldOutputs = {} }) => {
      const cluster = this.#clusters.find((each) => each.name === name);
      if (!cluster) throw new Error(`there is no cluster ${name}`);
      const { apiVersion, kind, metadata, spec } = newInputs as Registered;
      // Fields of another field manager would never go away with Pulumi's.
      const manager: unknown = oldOutputs["__fieldManager"] ?? oldInputs["__fieldManager"];
      await clusterRouting.remake(
        cluster,
        { apiVersion, kind, metadata, ...{ spec } },
        typeof manager === "string" ? manager : "pulumi-kubernetes",
      );
    };
  }
}
