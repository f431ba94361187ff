import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import type { Adoptable } from "../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import type { DeployedCluster } from "../lib/deployed.ts";
import { crossClusterHost, crossClusterName } from "../lib/names.ts";
import { configuredKey, JOURNAL, otherStacksOf } from "../lib/journal.ts";
import type { Problem } from "../lib/problems.ts";
import type { Journals } from "../lib/taken-back.ts";
import type { ReleaseSettings } from "./config.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { existingOf } from "./workload.ts";

/** An object of others, where it is, and the service that is to have it. */
interface Found extends Adoptable {
  readonly cluster: string;
  readonly route: PlannedRoute;
}

/** An object, and where it is. */
type Place = Pick<Adoptable, "kind" | "namespace" | "name"> & { readonly cluster: string };

const isAt =
  (cluster: string, { kind, namespace, name }: Omit<Place, "cluster">) =>
  (each: Place): boolean =>
    each.cluster === cluster &&
    each.kind === kind &&
    each.namespace === namespace &&
    each.name === name;

function idIn(all: readonly Place[], cluster: string, object: Omit<Place, "cluster">) {
  return all.some(isAt(cluster, object)) ? `${object.namespace}/${object.name}` : undefined;
}

function textOf({ kind, namespace, name, cluster }: Found): string {
  return `${kind} ${namespace}/${name} in ${cluster}`;
}

/** Two stacks would write the same objects, and one would delete them with itself. */
function ofStack({ wanted, key }: PlannedRoute, cluster: string, stack: string): Problem {
  return {
    path: `${wanted.path}.adopt`,
    value: true,
    rule: `must not take the routes of ${key} in ${cluster} from stack ${stack}, whose last update has made them`,
    fix: `Take the service out of stack ${stack} (release eject --stack ${stack} --service ${key}). If that stack is no more, delete the key ${configuredKey(stack)} of the ConfigMap ${JOURNAL} in the service's namespace.`,
  };
}

function goesTo({ shares, weights }: PlannedRoute["objects"], isUnnamed: boolean): string {
  if (isUnnamed) return `all pods of ${weights.metadata.name}, as before`;
  return Object.entries(shares)
    .map(([version, share]) => `${share} % to ${version}`)
    .join(", ");
}

/**
 * Routing objects that others have made and that an update takes over (`services[].adopt`). Pulumi imports them, and
 * updates them in the same step: they are never away, and do the same before and after.
 */
export class AdoptedObjects {
  readonly #found: readonly Found[];
  /** The program's own: Pulumi imports those that its state does not have, and takes no notice of the others. */
  readonly #own: readonly Place[];
  /** What keeps them from becoming the program's. */
  readonly problems: readonly Problem[];

  private constructor(found: readonly Found[], own: readonly Place[], unread: readonly Problem[]) {
    this.#found = found;
    this.#own = own;
    this.problems = [
      ...unread,
      ...found.flatMap((each) =>
        each.objections.map((objection) => ({
          path: `${each.route.wanted.path}.adopt`,
          value: true,
          rule: `must change nothing for requests, but of ${textOf(each)} ${objection}`,
          fix: "Write in this config what it says, or have the owner change it there; once it is adopted, change the config.",
        })),
      ),
    ];
  }

  /** Nobody has looked for any. */
  static readonly NONE = new AdoptedObjects([], [], []);

  /**
   * Looks for them in all clusters that answer.
   *
   * @param journals what updates have noted. @default nothing
   * @param stack the stack's name
   */
  static async find(
    settings: ReleaseSettings,
    clusters: readonly ClusterClient[],
    deployed: readonly DeployedCluster[],
    { routes }: Pick<ReleasePlan, "routes">,
    journals: Journals = new Map(),
    stack = "",
  ): Promise<AdoptedObjects> {
    const unread: Problem[] = [];
    const lists = new Map<string, ReturnType<typeof clusterRouting.made>>();
    // Once for all services of a namespace.
    const made = async (cluster: ClusterClient, namespace: string) => {
      const at = `${cluster.name} ${namespace}`;
      const list = lists.get(at) ?? clusterRouting.made(cluster, namespace);
      lists.set(at, list);
      return list;
    };
    const own: Place[] = [];
    const found = await Promise.all(
      routes.map(async (route): Promise<Found[]> => {
        const { service, objects } = route;
        const cluster = clusters.find(({ name }) => name === route.cluster);
        const about = deployed.find(({ name }) => name === route.cluster);
        if (service.adopt !== true || !cluster || !about || about.unreachable !== undefined) {
          return [];
        }
        const { ports, port } = existingOf(service) ?? {};
        const { namespace } = service;
        const id = { service: service.name, namespace };
        const others = settings.clusters.filter(({ name }) => name !== cluster.name);
        const crossing = others.map(({ name }) => ({
          name: crossClusterName(service.name, name),
          host: crossClusterHost(id, name),
        }));
        const names = [service.name, ...crossing.map(({ name }) => name)];
        try {
          const here = (await made(cluster, namespace)).filter(({ name }) => names.includes(name));
          own.push(...here.map((each) => ({ ...each, cluster: cluster.name })));
          const notes = journals.get(cluster.name) ?? [];
          const stacks = here.length > 0 ? otherStacksOf(notes, stack, route.key) : [];
          unread.push(...stacks.map((other) => ofStack(route, cluster.name, other)));
          const all = await clusterRouting.adoptable(cluster, {
            ...{ ...id, crossing },
            clusterDomain: settings.mesh.clusterDomain,
            outside: service.ingressHosts,
            port: (ports?.length ?? 1) === 1 ? port : undefined,
            objects,
          });
          return all.map((each) => ({ ...each, cluster: cluster.name, route }));
        } catch (error) {
          unread.push({
            path: `${route.wanted.path}.adopt`,
            rule: `must be readable in ${cluster.name}: ${explain(error)}`,
            fix: "Give the kubeconfig's user the rights that docs/permissions.md lists.",
          });
          return [];
        }
      }),
    );
    return new AdoptedObjects(found.flat(), own, unread);
  }

  /** By which id Pulumi imports an object; undefined if it is not somebody else's. */
  idOf(cluster: string, object: Omit<Place, "cluster">): string | undefined {
    return idIn(this.#found, cluster, object);
  }

  /** The same of one that is the program's, so that it is not made anew where Pulumi's state was lost. */
  ownIdOf(cluster: string, object: Omit<Place, "cluster">): string | undefined {
    return idIn(this.#own, cluster, object);
  }

  /** What is taken over, what it says and will say, for a person. @returns undefined if nothing is */
  get notice(): string | undefined {
    if (this.#found.length === 0) return undefined;
    return [
      "Rules of others become this stack's. Pulumi imports and updates them; requests go where they went:",
      ...this.#found.map((each) => {
        const { service, objects } = each.route;
        const says =
          each.kind === "VirtualService"
            ? `: now ${each.says}; then ${goesTo(objects, service.canary === undefined)}`
            : "";
        const tool =
          each.appliedBy === undefined
            ? ""
            : `. ${each.appliedBy} seems to apply it: have its owner take it out there without deleting it, or it is written back`;
        return ` - ${textOf(each)}${says}${tool}`;
      }),
    ].join("\n");
  }
}
