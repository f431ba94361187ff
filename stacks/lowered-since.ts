import type * as pulumi from "@pulumi/pulumi";
import { canariesOf } from "../fleet/canary-weights.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import { toZero } from "../fleet/to-zero.ts";
import { LEAVE_ALONE, writtenOver } from "../fleet/written-over.ts";
import { leastShareOf, shareOf, type DeployedRoute } from "../lib/deployed.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { presentClusters } from "./present-clusters.ts";
import type { PlannedRoute } from "./release-plan.ts";

/** How long each cluster is tried to be lowered, in milliseconds. */
const LOWER_WITHIN_MS = 10_000;

/** A route as it was read around Pulumi's write. */
type Found = Omit<DeployedRoute, "images">;

/** The canary and the share that the cluster has just before Pulumi writes it, unless somebody has lowered it. */
function expected({ rises, falls, wanted, deployed }: PlannedRoute) {
  const { canary, weight } = rises || falls ? wanted : (deployed ?? wanted);
  return deployed === undefined || canary === undefined ? undefined : { canary, weight };
}

/**
 * Keeps Pulumi, whose write is forced, from raising a weight again that somebody has lowered since the plan was made:
 * `release zero`, a guard, or a person.
 */
export class LoweredSince {
  readonly #clusters: readonly ClusterClient[];
  /** Of each cluster's route, by the generation that it had just before Pulumi's write. */
  readonly #generations = new Map<PlannedRoute, number>();
  #hasFailed = false;

  constructor(settings: Pick<ReleaseSettings, "clusters" | "away">) {
    this.#clusters = presentClusters(settings).map(
      ({ name, context, kubeconfig }) => new ClusterClient({ name, context, kubeconfig }),
    );
  }

  /** Whether a look has failed an update so far, which Pulumi's resources do not tell. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** What has to happen around Pulumi's update of a route's VirtualService, after all that writes its weight. */
  hooks(route: PlannedRoute): pulumi.ResourceHookBinding | undefined {
    return expected(route) === undefined
      ? undefined
      : {
          beforeUpdate: [() => this.#remembered(this.#before(route))],
          afterUpdate: [() => this.#remembered(this.#after(route))],
        };
  }

  async #remembered(look: Promise<void>): Promise<void> {
    try {
      await look;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  /** @throws if the weight is lower than planned: Pulumi then does not write */
  async #before(route: PlannedRoute): Promise<void> {
    const { cluster, key } = route;
    const { canary, weight } = expected(route) ?? {};
    const now = await this.#read(cluster, route.service);
    if (now === undefined || canary === undefined || weight === undefined) return;
    const share = leastShareOf(now, canary);
    if (share < weight) {
      await this.#stopIfWrittenOver(route, now, canary, weight);
      throw new Error(
        [
          `${cluster}: somebody lowered ${canary} of ${key} from ${weight} % to ${share} % while Pulumi was at work.`,
          "Pulumi has not raised it again. Find out why it was lowered. Then run pulumi up with the weight that you want:",
          "it makes all clusters the same.",
        ].join(" "),
      );
    }
    this.#generations.set(route, now.generation);
  }

  /** @throws if Pulumi's write has replaced a change that came between the last look and the write */
  async #after(route: PlannedRoute): Promise<void> {
    const { cluster, key, service, wanted } = route;
    const before = this.#generations.get(route);
    const { canary } = expected(route) ?? {};
    if (before === undefined || canary === undefined) return;
    const now = await this.#read(cluster, service);
    if (now !== undefined && wanted.canary === canary) {
      await this.#stopIfWrittenOver(route, now, canary, wanted.weight);
    }
    // Pulumi's own write makes one generation at most.
    if (now === undefined || now.generation <= before + 1) return;
    if (shareOf(now, canary) !== shareOf(wanted, canary) || shareOf(wanted, canary) === 0) return;
    const what = `${cluster}: somebody changed ${key} at the very moment at which Pulumi wrote it, and Pulumi's write replaced that change.`;
    if (wanted.canary !== canary) {
      throw new Error(
        `${what} Find out what was changed, and run release rollback if it was meant.`,
      );
    }
    throw new Error(
      [
        `${what} It may have been meant to stop the canary, so ${await this.#toZero(service, canary)}`,
        "Then run pulumi up with the weight that you want.",
      ].join(" "),
    );
  }

  /**
   * A controller that has written the weight of one cluster over would do so again: all clusters follow it down.
   *
   * @throws if that is so
   */
  async #stopIfWrittenOver(
    { cluster, service, wanted }: PlannedRoute,
    now: Found,
    canary: string,
    weight: number,
  ): Promise<void> {
    if (leastShareOf(now, canary) >= weight) return;
    const name = { service: service.name, namespace: service.namespace };
    const text = writtenOver(cluster, name, now, canary, weight);
    // In a promotion the canary is the next stable version: nothing takes requests away from it.
    if (text === undefined || wanted.canary !== canary) return;
    throw new Error(
      `${text}. So ${await this.#toZero(service, canary)} ${LEAVE_ALONE} Then run pulumi up with the weight that you want.`,
    );
  }

  /** Lowers a canary to 0 in all clusters. @returns what came of it, as it completes "so …" */
  async #toZero({ name, namespace }: ServiceSettings, canary: string): Promise<string> {
    const target = { service: name, namespace, canary };
    const zeroed = await toZero(this.#clusters, (each) => canariesOf(each, [target]), {
      withinMs: LOWER_WITHIN_MS,
    });
    const open = zeroed.flatMap(({ name: cluster, problem }) =>
      problem === undefined ? [] : [`${cluster} (${problem})`],
    );
    return `${canary} is lowered to 0 % ${
      open.length === 0
        ? "in all clusters."
        : `in all clusters but ${open.join(", ")}: lower it there by release zero.`
    }`;
  }

  async #read(
    cluster: string,
    { name, namespace, stable, canary }: ServiceSettings,
  ): Promise<Found | undefined> {
    const client = this.#clusters.find((each) => each.name === cluster);
    if (!client) throw new Error(`there is no cluster ${cluster}`);
    const [found] = await clusterRouting.read(client, [
      { service: name, namespace, stable: stable.version, canary: canary?.version },
    ]);
    return found?.route;
  }
}
