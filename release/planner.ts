import type { GateOutcome } from "./gates/gate.ts";

/** How a rollout goes through its phases; times in milliseconds. */
export interface RolloutPlan {
  /** Weights, rising to 100. */
  readonly phases: readonly number[];
  /** How long the canary is judged at weight 0. @default not at all */
  readonly trialMs: number | undefined;
  readonly bakeMs: number;
  /** How long phases last at least that differ, by their weight. @default all last `bakeMs` */
  readonly bakesMs?: ReadonlyMap<number, number> | undefined;
  /** Looks that may fail in a phase. */
  readonly maxFailures: { readonly consecutive: number; readonly total: number };
  readonly noDataLimitMs: number;
  /** How long API servers may be out of reach. */
  readonly unreachableLimitMs: number;
  /** The stack's name, for the commands that a reason gives. */
  readonly stack: string;
  /** Weights that only a person raises to. */
  readonly approval: readonly number[];
  /** Whether there are webhooks to ask before the first phase, and before each rise. */
  readonly asks: { readonly before: boolean; readonly confirm: boolean };
}

/** What is remembered from one look to the next; kept in the clusters. */
export interface Progress {
  /** The canaries that are released; with different ones it starts over. */
  readonly release: string;
  /** The phase, and since when it is in force, in milliseconds since 1970. */
  readonly weight: number;
  readonly since: number;
  readonly failures: { readonly consecutive: number; readonly total: number };
  /** Since when a look has had no data. @default the last one had */
  readonly blindSince?: number | undefined;
  /** Since when a cluster has been out of reach. @default all have answered */
  readonly awaySince?: number | undefined;
  /** Whether the webhooks before the first phase have said yes. */
  readonly begun: boolean;
  /** Why it is being rolled back, until no cluster keeps a weight. @default it is not */
  readonly rollingBack?: string | undefined;
  /** If it is rolled back, the services whose canary has failed, as `namespace/service`; none if guards say which. @default all */
  readonly failedServices?: readonly string[] | undefined;
  /** How it ended. @default it goes on */
  readonly end?: End | undefined;
}

/** done: 100 % has passed. rolled-back: the weight was taken back to 0. stopped: nothing was changed. */
interface End {
  readonly result: "done" | "rolled-back" | "stopped";
  readonly reason: string;
}

/** What a gate or a webhook says, of one cluster where it is about one. */
export interface Verdict {
  /** fail: bad. hold: cannot tell yet. */
  readonly outcome: GateOutcome;
  /** Whether it holds because nobody answers, and not because too little was seen. */
  readonly blind: boolean;
  /** Whether it is only shown, and neither holds nor fails a phase. @default false */
  readonly dryRun?: boolean | undefined;
  /** Cluster, what was measured, value, limit, samples. */
  readonly text: string;
  /** The service that it is about, as `namespace/service`. @default all */
  readonly service?: string | undefined;
}

/** Everything that one look at the clusters has seen. */
export interface Look {
  readonly release: string;
  readonly clusters: readonly {
    readonly name: string;
    /** Percent that the canary of each service gets. */
    readonly weights: readonly number[];
    /** @default it answers */
    readonly unreachable?: string | undefined;
    /** Services with a canary that it does not have, or no longer has. @default it has all */
    readonly lacks?: string | undefined;
  }[];
  /** Who holds the rollout, when and why. @default nobody */
  readonly paused?: string | undefined;
  readonly verdicts: readonly Verdict[];
  /** Why a guard in a cluster takes the release back. @default none does */
  readonly guards?: string | undefined;
  /** Answers of the webhooks that a step has asked for. @default not asked yet */
  readonly answers?: {
    readonly before?: readonly Verdict[] | undefined;
    readonly confirm?: readonly Verdict[] | undefined;
  };
  /** Why the last try to raise the weight has failed. @default it has not */
  readonly raiseFailed?: string | undefined;
}

/** Why a rollout waits. */
export type Waiting =
  | "before"
  | "bake"
  | "failures"
  | "unreachable"
  | "no-data"
  | "samples"
  | "paused"
  | "approval"
  | "confirm";

/** What is to be done next. */
export type Step =
  | { readonly do: "ask"; readonly when: "before" | "confirm" }
  | { readonly do: "wait"; readonly for: Waiting; readonly reason: string }
  | { readonly do: "raise"; readonly weight: number }
  | { readonly do: "roll-back"; readonly reason: string }
  | { readonly do: "end"; readonly end: End };

interface Decision {
  readonly progress: Progress;
  readonly step: Step;
}

/** How long a phase lasts at least, in milliseconds; at weight 0 the canary is only tried out. */
export function bakeAt(
  { trialMs = 0, bakeMs, bakesMs }: Pick<RolloutPlan, "trialMs" | "bakeMs" | "bakesMs">,
  weight: number,
): number {
  return weight === 0 ? trialMs : (bakesMs?.get(weight) ?? bakeMs);
}

/** The beginning of a phase. */
export function phase(release: string, weight: number, now: number, begun = weight > 0): Progress {
  return { release, weight, since: now, failures: { consecutive: 0, total: 0 }, begun };
}

/** Whether a verdict has a say, and is not a dry run. */
export function decides({ dryRun = false }: Pick<Verdict, "dryRun">): boolean {
  return !dryRun;
}

const lines = (verdicts: readonly Verdict[]) => verdicts.map(({ text }) => text).join("; ");

/** The services that verdicts are about. @returns undefined if one of them is about all */
export function servicesOf(verdicts: readonly Verdict[]): readonly string[] | undefined {
  const services = verdicts.map(({ service }) => service);
  const known = services.filter((service) => service !== undefined);
  return known.length === 0 || known.length < services.length ? undefined : [...new Set(known)];
}

/** What is waited for, in short; the look has all of it. */
function firstOf([first, ...others]: readonly Verdict[]): string {
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  return `${first?.text ?? ""}${more}`;
}

/**
 * The next step of a rollout, from what is remembered and what is seen. It raises only if all clusters
 * answer, serve the same, and pass all gates; a reason to roll back takes precedence over everything else, even a pause.
 *
 * @param now in milliseconds since 1970
 */
export function nextStep(
  before: Progress | undefined,
  seen: Look,
  plan: RolloutPlan,
  now: number,
): Decision {
  const look = { ...seen, verdicts: seen.verdicts.filter(decides) };
  const weights = [...new Set(look.clusters.flatMap((cluster) => cluster.weights))];
  const away = look.clusters.flatMap(({ name, unreachable }) =>
    unreachable === undefined ? [] : [`${name} cannot be reached: ${unreachable}`],
  );
  const remembered = current(before, look.release, weights, now);
  const progress = {
    ...remembered,
    awaySince: away.length > 0 ? (remembered.awaySince ?? now) : undefined,
  };
  // While no cluster answers, what is remembered is all that is known.
  const [weight = progress.weight] = weights;
  const decide = (step: Step, changed: Partial<Progress> = {}): Decision => ({
    progress: { ...progress, ...changed },
    step,
  });
  const end = (result: End["result"], reason: string) =>
    decide({ do: "end", end: { result, reason } });
  const rollBack = (reason: string) => decide({ do: "roll-back", reason });

  if (progress.end) return decide({ do: "end", end: progress.end });
  if (progress.rollingBack !== undefined) return rollBack(progress.rollingBack);
  // It lowers the clusters itself; what is left is the config, and to remember it.
  if (look.guards !== undefined) {
    // Their notes say which services.
    return decide({ do: "roll-back", reason: look.guards }, { failedServices: [] });
  }

  const lacking = look.clusters.flatMap(({ name, lacks }) =>
    lacks === undefined ? [] : [`${name} does not have ${lacks}: it needs pulumi up`],
  );
  const { awaySince } = progress;
  // That API servers do not answer may be the fault of this machine's network: it says nothing of the canary.
  const tooLong = awaySince !== undefined && now - awaySince >= plan.unreachableLimitMs;
  if (lacking.length > 0 || tooLong) {
    const reason = [...away, ...lacking].join("; ");
    return weights.every((each) => each === 0) && progress.weight === 0
      ? end("stopped", reason)
      : rollBack(reason);
  }
  if (weights.length > 1) {
    return rollBack(
      `the clusters differ: ${look.clusters.map((each) => `${each.weights.join(" % and ")} % in ${each.name}`).join(", ")}`,
    );
  }
  if (weight < progress.weight) {
    return end("stopped", `somebody else has lowered the weight to ${weight} %`);
  }

  const begins = !progress.begun && away.length === 0;
  if (begins) {
    const { before: answers } = look.answers ?? {};
    if (plan.asks.before && !answers) return decide({ do: "ask", when: "before" });
    const no = (answers ?? []).filter(({ outcome }) => outcome === "fail");
    if (no.length > 0) return end("stopped", lines(no));
    const silent = (answers ?? []).filter(({ outcome }) => outcome === "hold");
    if (silent.length > 0) return blind(progress, silent, plan, now, "before");
  }
  const begun = begins ? phase(look.release, weight, now, true) : progress;
  return judged(begun, weight, look, away, plan, now);
}

/**
 * Whether what is remembered is of this release, and of this rollout of it: the end of an earlier one
 * counts no more once the weights are others.
 */
export function continues(
  before: Progress | undefined,
  release: string,
  weights: readonly number[],
): before is Progress {
  if (before?.release !== release) return false;
  const { end } = before;
  return !end || weights.every((each) => each === endWeight(end));
}

/** The weight at which a rollout has ended that is remembered. */
export function endWeight({ result }: End): number {
  return result === "done" ? 100 : 0;
}

/** What is remembered of what is deployed; if somebody else has raised the weight, a new phase starts. */
function current(
  before: Progress | undefined,
  release: string,
  weights: readonly number[],
  now: number,
): Progress {
  const [weight = 0] = weights;
  if (!continues(before, release, weights)) return phase(release, weight, now);
  const raised = weights.length === 1 && weight > before.weight;
  return raised && before.rollingBack === undefined ? phase(release, weight, now) : before;
}

/** A look without data: it waits, within limits. */
function blind(
  progress: Progress,
  silent: readonly Verdict[],
  { noDataLimitMs }: RolloutPlan,
  now: number,
  waiting: Waiting,
): Decision {
  const blindSince = progress.blindSince ?? now;
  const minutes = (noDataLimitMs / 60_000).toLocaleString("en");
  return {
    progress: { ...progress, blindSince },
    step:
      now - blindSince >= noDataLimitMs
        ? { do: "roll-back", reason: `no data for ${minutes} minutes: ${lines(silent)}` }
        : { do: "wait", for: waiting, reason: firstOf(silent) },
  };
}

/** Looks that have failed in a phase. */
type Failures = Progress["failures"];

/** Counts a look that has failed, and says whether more have than may. */
export function oneMoreFailure(
  { consecutive, total }: Failures,
  most: Failures,
): { readonly failures: Failures; readonly tooMany: boolean } {
  const failures = { consecutive: consecutive + 1, total: total + 1 };
  return {
    failures,
    tooMany: failures.consecutive > most.consecutive || failures.total > most.total,
  };
}

/** Counts a look that has not failed. */
export function noFailure(failures: Failures): Failures {
  return { ...failures, consecutive: 0 };
}

/** The step by what gates and people say, where all clusters that answer serve the phase's weight. */
function judged(
  progress: Progress,
  weight: number,
  look: Look,
  away: readonly string[],
  plan: RolloutPlan,
  now: number,
): Decision {
  const { maxFailures, noDataLimitMs } = plan;
  const bakeMs = bakeAt(plan, weight);
  const failed = look.verdicts.filter(({ outcome }) => outcome === "fail");
  const reasons = [
    ...failed.map(({ text }) => text),
    ...(look.raiseFailed === undefined ? [] : [look.raiseFailed]),
  ];
  if (reasons.length > 0) {
    const reason = reasons.join("; ");
    // Nothing of the canary has been seen yet, so there is nothing to take back.
    if (failed.length === 0 && weight === 0) {
      return { progress, step: { do: "end", end: { result: "stopped", reason } } };
    }
    const { failures, tooMany } = oneMoreFailure(progress.failures, maxFailures);
    return {
      progress: { ...progress, failures, ...(tooMany && { failedServices: servicesOf(failed) }) },
      step: tooMany ? { do: "roll-back", reason } : { do: "wait", for: "failures", reason },
    };
  }
  const calm = { ...progress, failures: noFailure(progress.failures) };
  if (away.length > 0) {
    return { progress: calm, step: { do: "wait", for: "unreachable", reason: away.join("; ") } };
  }
  const silent = look.verdicts.filter((verdict) => verdict.blind && verdict.outcome === "hold");
  if (silent.length > 0) return blind(calm, silent, plan, now, "no-data");

  const seeing: Progress = { ...calm, blindSince: undefined };
  const decide = (step: Step): Decision => ({ progress: seeing, step });
  const wait = (waiting: Waiting, reason: string) => decide({ do: "wait", for: waiting, reason });
  const left = progress.since + bakeMs - now;
  if (left > 0) return wait("bake", `${Math.ceil(left / 1000)} s of the bake time are left`);
  const unsure = look.verdicts.filter(({ outcome }) => outcome === "hold");
  if (unsure.length > 0) {
    return -left >= noDataLimitMs
      ? decide({ do: "roll-back", reason: `too few requests: ${lines(unsure)}` })
      : wait("samples", firstOf(unsure));
  }
  if (look.paused !== undefined) return wait("paused", look.paused);

  const next = plan.phases.find((each) => each > weight);
  if (next === undefined) {
    return decide({ do: "end", end: { result: "done", reason: "all phases have passed" } });
  }
  if (plan.approval.includes(next)) {
    return wait(
      "approval",
      `${next} % needs approval: npm run release -- promote --stack ${plan.stack}`,
    );
  }
  const { confirm } = look.answers ?? {};
  if (plan.asks.confirm && !confirm) return decide({ do: "ask", when: "confirm" });
  const against = (confirm ?? []).filter(({ outcome }) => outcome !== "pass");
  return against.length > 0
    ? wait("confirm", lines(against))
    : decide({ do: "raise", weight: next });
}
