import type { DeployedCluster } from "../lib/deployed.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { routingDigest } from "../stacks/routing-digest.ts";
import { wantedBy } from "../stacks/wanted.ts";
import { planRollback, type RollbackPlan, type Stop } from "./rollback-plan.ts";
import { isTarget, type Release, type State } from "./states.ts";

/** A release, and the whole configuration with it. */
export interface Config {
  readonly release: Release;
  readonly settings: ReleaseSettings;
}

/** Where a rollback goes, and how. */
export interface Destination {
  /** As it completes "rollback to …". */
  readonly name: string;
  /** What `--to` must be to go there again: `zero`, or the number of a state. */
  readonly to: string;
  readonly config: Config;
  readonly plan: RollbackPlan<Config>;
}

/** What is known of the stack. */
export interface Situation {
  /** What is configured, or was when it was right. */
  readonly current: Config;
  /** Newest first. */
  readonly states: readonly State[];
  readonly deployed: readonly DeployedCluster[];
  /** The configuration with a release in it, or what is wrong with it. */
  readonly read: (
    release: Release,
  ) => { settings: ReleaseSettings } | { problems: readonly string[] };
}

const keysOf = ({ services }: ReleaseSettings) =>
  services.map(({ name, namespace }) => `${namespace}/${name}`).sort();

function stop(config: Config): Stop<Config> {
  const wanted = wantedBy(config.settings);
  // What is switched off for one update is not switched off on the way back, save what is about no request's way.
  const allow = wanted.allow.filter((each) => each === "replace-stable");
  return { config, wanted: { ...wanted, allow } };
}

/**
 * Every configuration that a way back may pass: those of the history with the same services, at 0
 * and at 100 %.
 */
function stops({ current, states, read }: Situation): readonly Stop<Config>[] {
  const releases = [current.release, ...states.filter(isTarget).map(({ release }) => release)];
  const distinct = new Map(
    releases.flatMap((release) =>
      ["0", "100"].map((weight) => {
        const there = { ...release, weight };
        return [JSON.stringify(there), there] as const;
      }),
    ),
  );
  const services = keysOf(current.settings).join();
  return [...distinct.values()].flatMap((release) => {
    const found = read(release);
    return "settings" in found && keysOf(found.settings).join() === services
      ? [stop({ release, settings: found.settings })]
      : [];
  });
}

function refused(...problems: string[]): RollbackPlan<Config> {
  return { steps: undefined, problems };
}

/** Reading every configuration of a long history takes its time: once at most, and if it is needed. */
type Via = () => readonly Stop<Config>[];

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function planTo(config: Config, situation: Situation, via: Via): RollbackPlan<Config> {
  const kept = keysOf(config.settings);
  const lost = keysOf(situation.current.settings).filter((key) => !kept.includes(key));
  if (lost.length > 0) {
    return refused(
      ` - it has no ${lost.join(", ")}, which would be removed from every cluster: if you mean it, first remove it from the config in a separate update`,
    );
  }
  const target = stop(config);
  const direct = planRollback(situation.deployed, target, []);
  return direct.steps ? direct : planRollback(situation.deployed, target, via());
}

function sameRouting(one: ReleaseSettings, other: ReleaseSettings): boolean {
  const digests = (settings: ReleaseSettings) =>
    settings.clusters
      .flatMap(({ name }) =>
        settings.services.map((service) => routingDigest(settings, service, name)),
      )
      .join();
  return digests(one) === digests(other);
}

/** The configuration of a state, or what is wrong with it for this program and mesh. */
function configOf({ release }: State, { read }: Situation): Config | readonly string[] {
  const found = read(release);
  return "problems" in found ? found.problems : { release, settings: found.settings };
}

/**
 * Finds where a rollback is to go.
 *
 * @param to the number of a state, `zero`, or `previous`: the newest state with different routing than
 *   the one in force, to which a way leads back
 * @throws naming what may be written instead
 */
export function findDestination(to: string, situation: Situation): Destination {
  const { current, states, read } = situation;
  const via = once(() => stops(situation));
  const destination = (at: string, config: Config): Destination => ({
    name: at === "zero" ? "weight 0" : `state ${at}`,
    to: at,
    config,
    plan: planTo(config, situation, via),
  });
  if (to === "zero") {
    const release = { ...current.release, weight: "0" };
    const found = read(release);
    if ("problems" in found) throw new Error(found.problems.join("\n"));
    return destination(to, { release, settings: found.settings });
  }
  const targets = states.filter(isTarget);
  if (to === "previous") {
    const now = states.find(({ inForce }) => inForce);
    const applied = now && configOf(now, situation);
    const { settings } = applied && "settings" in applied ? applied : current;
    let nearest: Destination | undefined;
    for (const state of targets.filter(({ inForce }) => !inForce)) {
      const config = configOf(state, situation);
      if (!("settings" in config) || sameRouting(config.settings, settings)) continue;
      const found = destination(String(state.number), config);
      if (found.plan.steps) return found;
      nearest ??= found;
    }
    throw new Error(
      [
        "There is no earlier state with different routing that a rollback can reach. List all states with: npm run release -- history --stack NAME",
        ...(nearest ? [`No way leads to ${nearest.name}:`, ...nearest.plan.problems] : []),
      ].join("\n"),
    );
  }
  const state = targets.find(({ number }) => String(number) === to);
  if (!state) {
    const other = states.find(({ number }) => String(number) === to);
    throw new Error(
      `--to must be previous, zero, or the number of a state that has succeeded: ${
        targets.map(({ number }) => number).join(", ") || "there is none yet"
      }; ${other ? `state ${to} has ${other.result}` : `got ${to}`}.`,
    );
  }
  const config = configOf(state, situation);
  if ("settings" in config) return destination(to, config);
  throw new Error(
    [`The configuration of state ${to} is no longer valid for this program:`, ...config].join("\n"),
  );
}
