import { setTimeout as wait } from "node:timers/promises";
import { serviceKey } from "../lib/names.ts";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { shareOf, type DeployedCluster } from "../lib/deployed.ts";
import { follows } from "../lib/served.ts";
import { guardsVerdict } from "../lib/verdict.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { presentClusters } from "../stacks/present-clusters.ts";
import { deployedIn } from "./clusters.ts";
import type { Metrics } from "./gates/counters.ts";
import { gateVerdicts } from "./gates/gate-verdicts.ts";
import type { GateVerdict } from "./gates/verdict.ts";
import { WebCounts } from "./gates/web.ts";
import type { Journal, Pause } from "./journal.ts";
import { decides, type Look, type Progress, type Verdict } from "./planner.ts";
import { judgedServices, releaseName } from "./release-settings.ts";
import { askWebhooks } from "./webhooks.ts";

/** Pause before clusters that differ are looked at again, in milliseconds. */
const SECOND_LOOK_MS = 3_000;

/** Who holds a rollout, in words; undefined if nobody does. */
export function pausedBy(pause: Pause | undefined): string | undefined {
  if (!pause?.paused) return undefined;
  const why = pause.reason === undefined ? "" : `: ${pause.reason}`;
  return `paused by ${pause.by} at ${new Date(pause.at).toISOString()}${why}`;
}

/** What a cluster's canaries get, in percent, by service; those that follow the entries of a chain have no weight. */
function weightsOf(settings: ReleaseSettings, { name, routes }: DeployedCluster): number[] {
  return judgedServices(settings).flatMap((judged) => {
    const key = serviceKey(judged);
    const route = routes.get(key);
    if (!route) throw new Error(`${name} does not have ${key} yet: run pulumi up first`);
    return follows(route) ? [] : [shareOf(route, judged.canary)];
  });
}

/**
 * The weights by which a cluster's phase is known: none of a cluster in quarantine, which has 0 in every
 * phase; one that has another weight all the same is not left out.
 */
export function phaseWeights(settings: ReleaseSettings, cluster: DeployedCluster): number[] {
  const weights = weightsOf(settings, cluster);
  const apart = settings.quarantine.includes(cluster.name) && weights.every((each) => each === 0);
  return apart ? [] : weights;
}

/** What a rollout is decided from in one cluster. */
function seen(settings: ReleaseSettings, cluster: DeployedCluster): Look["clusters"][number] {
  const { name, unreachable, routes } = cluster;
  if (unreachable !== undefined) return { name, weights: [], unreachable };
  const missing = judgedServices(settings)
    .map(serviceKey)
    .filter((key) => !routes.has(key));
  return missing.length > 0
    ? { name, weights: [], lacks: missing.join(", ") }
    : { name, weights: phaseWeights(settings, cluster) };
}

/** Sees what a rollout is decided from. */
export class Observer {
  readonly #settings: ReleaseSettings;
  readonly #clusters: readonly ClusterClient[];
  readonly #metrics: ReadonlyMap<string, Metrics>;
  readonly #journal: Journal;
  readonly #secondLookMs: number;
  readonly #web = new WebCounts();

  /**
   * @param metrics of each cluster, by its name
   * @param secondLookMs pause before clusters that differ are looked at again, in milliseconds
   */
  constructor(
    settings: ReleaseSettings,
    clusters: readonly ClusterClient[],
    metrics: ReadonlyMap<string, Metrics>,
    journal: Journal,
    secondLookMs: number = SECOND_LOOK_MS,
  ) {
    this.#settings = settings;
    this.#clusters = clusters;
    this.#metrics = metrics;
    this.#journal = journal;
    this.#secondLookMs = secondLookMs;
  }

  /** Looks at all clusters; requests are counted since the phase of `progress` began. */
  async look(progress: Progress | undefined, now: number): Promise<Look> {
    const clusters = await this.#clustersTwice();
    const weights = clusters.flatMap(({ weights }) => weights);
    // While no cluster answers, the canary has what it had.
    const weight = weights.length > 0 ? Math.max(...weights) : (progress?.weight ?? 0);
    const release = releaseName(this.#settings);
    // A rollback waits for nothing that only tells how good the canary is.
    if (clusters.some(({ lacks }) => lacks !== undefined)) {
      return { release, clusters, verdicts: [] };
    }
    const same = progress?.release === release && progress.weight === weight;
    const since = same ? progress.since : now;
    const people = this.#people(weight, progress);
    const verdicts = await this.verdicts(weight, since, now);
    // Nor for anybody's answer.
    if (verdicts.some((verdict) => decides(verdict) && verdict.outcome === "fail")) {
      return { release, clusters, verdicts };
    }
    const { said, paused, guards } = await people;
    const all: readonly Verdict[] = [...verdicts, ...said];
    return {
      release,
      clusters,
      verdicts: all,
      ...(paused !== undefined && { paused }),
      ...(guards !== undefined && { guards }),
    };
  }

  /**
   * What each cluster has. Clusters that differ are looked at once more: a promotion from another terminal writes all of
   * them at once, but not in one moment.
   */
  async #clustersTwice(): Promise<Look["clusters"]> {
    const read = async () =>
      (await deployedIn(this.#settings, this.#clusters)).map((cluster) =>
        seen(this.#settings, cluster),
      );
    const clusters = await read();
    if (new Set(clusters.flatMap(({ weights }) => weights)).size <= 1) return clusters;
    await wait(this.#secondLookMs);
    return read();
  }

  /** What webhooks say, who has paused, and whether a guard takes the release back. Never fails. */
  async #people(
    weight: number,
    progress: Progress | undefined,
  ): Promise<Pick<Look, "paused" | "guards"> & { readonly said: readonly Verdict[] }> {
    const [said, remembered] = await Promise.all([
      askWebhooks(this.#settings.rollout.webhooks, "during", this.webhookBody(weight)),
      this.#journal.read().then(
        ({ pause, guards, forgiven }) => ({
          paused: pausedBy(pause),
          guards: guardsVerdict(guards, releaseName(this.#settings), progress, forgiven),
          unknown: [],
        }),
        (error: unknown) => ({
          paused: undefined,
          guards: undefined,
          unknown: [
            {
              outcome: "hold" as const,
              blind: true,
              text: `whether it is paused is not known: ${explain(error)}`,
            },
          ],
        }),
      ),
    ]);
    const { paused, guards, unknown } = remembered;
    return { said: [...said, ...unknown], paused, guards };
  }

  /** What all gates say in all clusters. */
  async verdicts(weight: number, since: number, now: number): Promise<readonly GateVerdict[]> {
    const { phases, rollout, quarantine, away } = this.#settings;
    const release = {
      services: judgedServices(this.#settings),
      clusters: presentClusters(this.#settings).map(({ name }) => name),
      phases,
      // Clients of a cluster that is away are sent by another weight, too.
      quarantine: [...quarantine, ...away],
      rollout,
    };
    return gateVerdicts(
      release,
      { clusters: release.clusters, metrics: this.#metrics, web: this.#web },
      { weight, since, now },
    );
  }

  /** What webhooks are told. */
  webhookBody(weight: number) {
    return {
      release: releaseName(this.#settings),
      clusters: this.#clusters.map(({ name }) => name),
      weight,
    };
  }
}
