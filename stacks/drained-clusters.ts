import * as pulumi from "@pulumi/pulumi";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { drainMarks, markDrained, type DrainMark } from "../fleet/drain-marks.ts";
import { readyPods } from "../fleet/ready-pods.ts";
import { markedShare, serving } from "../lib/chain-rules.ts";
import { sameShares, shareOf, type DeployedCluster } from "../lib/deployed.ts";
import { drainProblems, undrainProblem, type ServingVersion } from "../lib/drain-rules.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import type { ReadBy } from "./mesh.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { existingService } from "./workload.ts";

type DrainSettings = Pick<ReleaseSettings, "away" | "clusters" | "drain" | "safety" | "services">;

/** What a plan says of a route, as far as it tells whether the cluster is equal to the others. */
type Planned = Pick<ReleasePlan, "routes">;

/** Whether a route is as it is to be already. */
function isSettled({ deployed, wanted, rises, falls, catchesUp }: PlannedRoute): boolean {
  return (
    deployed !== undefined &&
    !rises &&
    !falls &&
    !catchesUp &&
    deployed.canary === wanted.canary &&
    sameShares(deployed, wanted)
  );
}

/**
 * Clusters to which the others send nothing: those that are away and drained, and those that have come back and are not
 * equal to the others yet. The others' remote secrets of them are marked, so that it is known what is still to be done,
 * whatever has become of the updates in between:
 *
 * 1. `away`: an update has taken the remote secret out of use.
 * 2. `equal`: the cluster is back, and an update has made it equal to the others; still nothing is sent there.
 * 3. no mark: the next update, which finds it equal, has let the others send it requests again.
 */
export class DrainedClusters {
  /** None is. */
  static readonly NONE = new DrainedClusters(undefined);

  readonly #settings: DrainSettings | undefined;
  #clusters: readonly ClusterClient[] = [];
  /** By the cluster that reads. */
  #marks: ReadonlyMap<string, ReadonlyMap<string, DrainMark>> = new Map();

  constructor(settings: DrainSettings | undefined) {
    this.#settings = settings;
  }

  /**
   * Reads what earlier updates have marked.
   *
   * @param clusters that answer
   * @throws if one of them does not tell
   */
  async find(clusters: readonly ClusterClient[]): Promise<void> {
    if (!this.#settings) return;
    this.#clusters = clusters;
    this.#marks = new Map(
      await Promise.all(
        clusters.map(async (cluster) => [cluster.name, await drainMarks(cluster)] as const),
      ),
    );
  }

  /** What the others' remote secrets of a cluster are marked with. */
  #marksOf(source: string): readonly DrainMark[] {
    return [...this.#marks.values()].flatMap((marks) => marks.get(source) ?? []);
  }

  /** Names of the clusters that are back and were drained. */
  get #back(): readonly string[] {
    const { away = [], clusters = [] } = this.#settings ?? {};
    return clusters
      .map(({ name }) => name)
      .filter((name) => !away.includes(name) && this.#marksOf(name).length > 0);
  }

  /** Whether the others send requests to a cluster that is back: an update has made it equal, and it still is. */
  #isOpen(source: string, { routes }: Planned): boolean {
    return (
      this.#marksOf(source).every((mark) => mark === "equal") &&
      routes.filter(({ cluster }) => cluster === source).every(isSettled)
    );
  }

  /** Names of the clusters to which the others send nothing, once this update is done. */
  closed(plan: Planned): readonly string[] {
    const { drain = [] } = this.#settings ?? {};
    return [...drain, ...this.#back.filter((name) => !this.#isOpen(name, plan))];
  }

  /** What is to be known of clusters that are back. */
  warnings(plan: Planned): readonly string[] {
    return this.#back.map((name) =>
      this.#isOpen(name, plan)
        ? `${name} is equal to the other clusters: they send it requests again.`
        : `${name} was drained: this update makes it equal to the other clusters, which send it nothing yet. Run pulumi up once more, before the next change: then they do.`,
    );
  }

  /**
   * What keeps clusters from being drained, or from not being drained any more. Those that are drained already stay so,
   * whatever pods there are.
   *
   * @param clusters that answer
   */
  async problems(
    clusters: readonly ClusterClient[],
    deployed: readonly DeployedCluster[],
  ): Promise<readonly Problem[]> {
    if (!this.#settings) return [];
    const { away, drain = [], safety } = this.#settings;
    const undrained = away.flatMap((name, i) =>
      !drain.includes(name) && this.#marksOf(name).length > 0 ? [undrainProblem(name, i)] : [],
    );
    const begins = drain.filter((name) => this.#marksOf(name).length === 0);
    if (begins.length === 0 || clusters.length === 0) return undrained;
    const versions = await this.#servingVersions(clusters, deployed);
    const staying = clusters.map(({ name }) => name);
    return [
      ...undrained,
      ...begins.flatMap((name) =>
        drainProblems(
          { name, path: `away[${away.indexOf(name)}].drain` },
          ...([drain.length, staying, versions, safety.capacity] as const),
        ),
      ),
    ];
  }

  /** The versions that get requests in any of the clusters, with their pods in all of them. */
  async #servingVersions(
    clusters: readonly ClusterClient[],
    deployed: readonly DeployedCluster[],
  ): Promise<readonly ServingVersion[]> {
    const marked = markedShare(deployed);
    const versionsOf = (service: ServiceSettings) => {
      const routes = deployed.flatMap((each) => each.routes.get(serviceKey(idOf(service))) ?? []);
      const served = routes
        .map((route) => serving(route, marked))
        .flatMap((route) =>
          route.unnamed
            ? [service.stable.version]
            : [route.stable, route.canary].filter((version) => shareOf(route, version) > 0),
        );
      return [...new Set(served.filter((version) => version !== undefined))];
    };
    return Promise.all(
      (this.#settings?.services ?? []).flatMap((service) =>
        versionsOf(service).map(async (version) => {
          const counts = await Promise.all(
            clusters.map((cluster) =>
              readyPods(cluster, idOf(service), version, existingService(service)),
            ),
          );
          const sum = (key: "pods" | "ready") =>
            counts.reduce((total, count) => total + count[key], 0);
          const key = serviceKey(idOf(service));
          return { key, version, pods: sum("pods"), ready: sum("ready") };
        }),
      ),
    );
  }

  /** Takes the remote secrets of the clusters that are drained out of use, also where somebody has put one back. */
  async takeOut(): Promise<void> {
    const { drain = [] } = this.#settings ?? {};
    if (pulumi.runtime.isDryRun()) return;
    await Promise.all(
      this.#clusters.flatMap((cluster) =>
        drain.map((source) => markDrained(cluster, source, "away")),
      ),
    );
  }

  /**
   * Marks at the end what this update has done for clusters that are back.
   *
   * @param secrets the remote secrets as they are registered
   * @param after what must be done first: all else
   */
  mark(
    plan: Planned,
    secrets: readonly ReadBy[] = [],
    ...after: pulumi.Input<unknown>[]
  ): pulumi.Output<void> | undefined {
    const back = this.#back;
    if (back.length === 0 || pulumi.runtime.isDryRun()) return undefined;
    const own = secrets.filter(({ source }) => back.includes(source));
    return pulumi
      .all(after)
      .apply(() => pulumi.all(own.map(({ isUsed }) => isUsed)))
      .apply(async (used) => {
        await Promise.all(
          own.map(async ({ source, reader }, i) => {
            const cluster = this.#clusters.find(({ name }) => name === reader);
            const isOpen = this.#isOpen(source, plan);
            // What an update leaves out (--exclude, --target) is as it was, not as it was registered.
            if (!cluster || used[i] !== isOpen) return;
            await markDrained(cluster, source, isOpen ? undefined : "equal");
          }),
        );
      });
  }
}
