import * as pulumi from "@pulumi/pulumi";
import type { Check } from "../fleet/checks/check.ts";
import { runChecks } from "../fleet/checks/index.ts";
import { lookAgain } from "../fleet/checks/look-again.ts";
import { subsets } from "../fleet/checks/subsets.ts";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { confirmRules } from "../fleet/confirm-rules.ts";
import { leftOutLines, switched } from "../fleet/switched.ts";
import { confirmWritten, WrittenOver } from "../fleet/written-over.ts";
import { canaryOf, hostsOf } from "./canaries.ts";
import { allOfThem } from "../lib/who-counts.ts";
import type { ReleaseSettings } from "./config.ts";
import { confirmOptions, strictOptions } from "./confirm-options.ts";
import { limitsOf } from "./limits.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { isMade } from "./workload.ts";

const NAMED_SUBSETS: Check = {
  ...subsets,
  name: "every proxy holds the versions that routes begin to name",
};

/** What the clusters have after the moves: `10 % now in cluster-a and 0 % now in cluster-b`. */
export function weightsAfter(moves: readonly PlannedRoute[]): string {
  const weights = [...new Set(moves.map(({ wanted }) => wanted.weight))];
  return weights
    .map((weight) => {
      const there = moves.filter(({ wanted }) => wanted.weight === weight);
      return `${weight} % now in ${[...new Set(there.map(({ cluster }) => cluster))].join(", ")}`;
    })
    .join(" and ");
}

/**
 * Whether a route begins to name the stable version of pods that others have made. Requests flow already, unlike to
 * pods that the program makes: every Envoy must know the version before a route names it.
 */
function beginsToName({ service, wanted, deployed }: PlannedRoute): boolean {
  return (
    !isMade(service) &&
    wanted.canary !== undefined &&
    (!deployed || deployed.unnamed === true || deployed.stable !== wanted.stable)
  );
}

/** Whether a weight is in force, or somebody else has written it over: no Envoy is to blame. */
function isWrittenOver(result: PromiseSettledResult<unknown>): boolean {
  return result.status === "fulfilled" || result.reason instanceof WrittenOver;
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/** What every Envoy must have before or after a step of a plan. Each wait fails with what is missing, and where. */
export class WeightConfirmations {
  readonly #settings: ReleaseSettings;
  readonly #clusters: readonly ClusterClient[];
  readonly #plan: ReleasePlan;

  constructor(settings: ReleaseSettings, clusters: readonly ClusterClient[], plan: ReleasePlan) {
    this.#settings = settings;
    this.#clusters = clusters;
    this.#plan = plan;
  }

  get #falling(): readonly PlannedRoute[] {
    return this.#plan.routes.filter(({ falls }) => falls);
  }

  /**
   * Waits until every Envoy has the routes that change first. Followers know what to do with a mark before
   * there is one; where it is the other way round, all is marked before anybody looks for it.
   */
  async first(): Promise<void> {
    const { safety, mesh } = this.#settings;
    const { routes, firstRole } = this.#plan;
    const results = await Promise.allSettled(
      this.#clusters.map(async (cluster) => {
        const rules = routes
          .filter((route) => route.cluster === cluster.name && !route.isSecond)
          .map(({ key, service, objects }) => ({
            key,
            hosts: hostsOf(service, mesh.clusterDomain),
            rules: objects.rules,
          }));
        if (rules.length > 0) {
          await confirmRules(cluster, rules, strictOptions(safety));
        }
      }),
    );
    const late = results.flatMap((result) =>
      result.status === "rejected" ? [` - ${messageOf(result.reason)}`] : [],
    );
    if (late.length > 0) {
      throw new Error(
        [
          `The weight has risen in no cluster, since not every Envoy has the routes of ${firstRole === "entry" ? "the chain's entries" : "the chain's followers"} yet, which come first:`,
          ...late,
          "See istioctl proxy-status: restart the pods that lag, or remove the EnvoyFilter. Then run pulumi up again.",
        ].join("\n"),
      );
    }
  }

  /** Whether a route waits for that: hosts that name a cluster which catches up change in all others, too. */
  isToName(route: PlannedRoute): boolean {
    const { service } = route;
    return (
      beginsToName(route) ||
      this.#plan.routes.some((each) => each.service === service && each.catchesUp)
    );
  }

  /** Waits until every Envoy knows the versions that routes begin to send requests to, in all clusters. */
  async named(): Promise<void> {
    const { mesh, services } = this.#settings;
    const routes = this.#plan.routes.filter((route) => beginsToName(route) || route.catchesUp);
    const canaries = services.flatMap((service) => {
      const own = routes.filter((route) => route.service === service);
      const canary = canaryOf(
        { ...service, canary: service.canary ?? service.stable },
        mesh.clusterDomain,
      );
      if (own.length === 0 || !canary) return [];
      // A cluster that joins a release has the weight of the others at once; testers and copies come at any weight.
      const both =
        service.canary !== undefined &&
        (own.some(({ wanted }) => wanted.weight > 0) ||
          service.matches.length > 0 ||
          service.mirrorPercent > 0);
      return [{ ...canary, canary: service.stable.version }, ...(both ? [canary] : [])];
    });
    const all = limitsOf(this.#settings);
    const limits = { ...all, who: allOfThem(all.who) };
    const clusters = this.#clusters;
    const look = async () =>
      new Map(
        await Promise.all(
          clusters.map(async (cluster) => {
            const context = { cluster, clusters, rises: [], canaries, limits };
            return [cluster.name, await runChecks(context, [NAMED_SUBSETS])] as const;
          }),
        ),
      );
    const objections = [...(await lookAgain(look, limits.checkWithinMs))].flatMap(([name, found]) =>
      found.map(({ line }) => ` - ${name}: ${line}`),
    );
    if (objections.length > 0) {
      throw new Error(
        [
          "No route names a version yet, since not every Envoy knows what it would name:",
          ...objections,
          "All requests go where they went. Fix it, then run pulumi up again.",
        ].join("\n"),
      );
    }
  }

  /** Waits until every Envoy serves the weights that have fallen. */
  async lowered(): Promise<void> {
    const { safety, mesh } = this.#settings;
    const results = await Promise.allSettled(
      this.#clusters.map(async (cluster) => {
        const expected = this.#falling.flatMap(({ cluster: name, service, wanted }) => {
          const { canary, weight } = wanted;
          if (name !== cluster.name || canary === undefined) return [];
          const hosts = hostsOf(service, mesh.clusterDomain);
          return [{ service: service.name, namespace: service.namespace, hosts, canary, weight }];
        });
        return confirmWritten(cluster, expected, confirmOptions(safety));
      }),
    );
    const late = results.flatMap((result) =>
      result.status === "rejected" ? [` - ${messageOf(result.reason)}`] : [],
    );
    if (late.length > 0) {
      throw new Error(
        [
          `The weight is ${weightsAfter(this.#falling)}, but not every Envoy follows:`,
          ...late,
          ...(results.every(isWrittenOver)
            ? []
            : ["See istioctl proxy-status: restart the pods that lag, or remove the EnvoyFilter."]),
        ].join("\n"),
      );
    }
    const confirmed = results.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const routes = confirmed.flatMap((each) => each.routes.flat());
    const others = confirmed.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    const leftOut = this.#clusters.flatMap(({ name }, i) => leftOutLines(name, confirmed[i] ?? {}));
    await pulumi.log.info(
      [
        `The weight is ${weightsAfter(this.#falling)}: ${switched(routes, others)}.`,
        ...leftOut,
      ].join("\n"),
    );
  }
}
