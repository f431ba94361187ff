import type { GateVerdict } from "./gates/verdict.ts";
import {
  continues,
  nextStep,
  phase,
  type Look,
  type RolloutPlan,
  type Progress,
  type Step,
  type Verdict,
  type Waiting,
} from "./planner.ts";
import { isForPeople, type Result, type RolloutEvent } from "./rollout-event.ts";
import { Held, MayHeal, TakenBack } from "./try-again.ts";

export interface Outcome {
  readonly result: Result;
  readonly reason: string;
}

/** What a rollout sees and does; the edges at which a test stands in. */
export interface RolloutEffects {
  /** Looks at all clusters, counting requests since the phase of `progress` began. */
  look(
    progress: Progress | undefined,
  ): Promise<Look & { readonly verdicts: readonly (Verdict | GateVerdict)[] }>;
  /** Asks the webhooks of a time. */
  ask(when: "before" | "confirm", progress: Progress): Promise<readonly Verdict[]>;
  /** Tells which weight comes next if all goes well, while there is time to prepare it. @default nobody prepares */
  expect?(weight: number): void;
  /**
   * Raises the weight in all clusters or in none. Throws if it has not; Held or MayHeal if the same may be tried again,
   * TakenBack if somebody else has lowered the weight before.
   */
  raise(weight: number): Promise<void>;
  /** Takes the weight back to 0. Throws, naming the clusters, if one keeps another. */
  rollBack(reason: string): Promise<void>;
  recall(): Promise<Progress | undefined>;
  /** @returns why it could not be remembered, by cluster */
  remember(progress: Progress): Promise<ReadonlyMap<string, string>>;
  tell(event: RolloutEvent): void;
  /** In milliseconds since 1970. */
  now(): number;
  /** Waits for the next look, or for the signal. */
  pause(signal: AbortSignal): Promise<void>;
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * Goes through the phases until the release is through, rolled back, or stopped. What is done is decided by
 * the planner, from what is deployed and remembered alone; so it may be interrupted at any time and
 * goes on when it is started again.
 *
 * @param signal ends it after what it is doing
 * @param again whether a canary that was rolled back is tried once more
 */
export async function rollout(
  plan: RolloutPlan,
  effects: RolloutEffects,
  signal: AbortSignal,
  again = false,
): Promise<Outcome> {
  let progress = await effects.recall();
  let raiseFailed: string | undefined;
  let answers: Look["answers"];
  let first = true;
  let waitsFor: Waiting | undefined;
  /** Since when, and for what, the next phase waits that may begin otherwise. */
  let waiting: { readonly since: number; readonly reason: string } | undefined;

  const remember = async (next: Progress) => {
    if (JSON.stringify(next) === JSON.stringify(progress)) return;
    progress = next;
    for (const [cluster, reason] of await effects.remember(next)) {
      effects.tell({ event: "not-remembered", cluster, reason });
    }
  };
  /** Somebody else's update says nothing of the canary, however long it takes; what does not answer has its time. */
  const mayWait = (error: unknown, waitedMs: number) =>
    error instanceof Held || (error instanceof MayHeal && waitedMs < plan.noDataLimitMs);
  const isInterrupted = () => signal.aborted;
  const rollBack = async (reason: string) => {
    const before = isInterrupted();
    try {
      await effects.rollBack(reason);
    } catch (error) {
      // A terminal sends Ctrl-C to Pulumi too: what it has left undone is finished before the end.
      if (before || !isInterrupted()) throw error;
      await effects.rollBack(reason);
    }
  };
  /** What a person may have to act on is told when it begins; the others pass by themselves. */
  const tellWaiting = (step: Extract<Step, { do: "wait" }>, weight: number) => {
    if (step.for === waitsFor) return;
    waitsFor = step.for;
    if (isForPeople(step.for)) {
      effects.tell({ event: "waits", weight, for: step.for, reason: step.reason });
    }
  };
  const expectRise = (now: number) => {
    const next = plan.phases.find((each) => each > now);
    if (next !== undefined && !plan.approval.includes(next)) effects.expect?.(next);
  };
  const finish = (result: Result, reason: string): Outcome => {
    effects.tell({ event: "end", result, reason });
    return { result, reason };
  };

  for (;;) {
    if (signal.aborted) {
      const weight = progress?.weight ?? 0;
      effects.tell({ event: "interrupted", weight });
      return finish(
        "interrupted",
        raiseFailed === undefined
          ? `the weight stays ${weight} %; run the same command to continue`
          : `raising the weight from ${weight} % was interrupted or has failed: release status says what the clusters serve, run the same command to continue`,
      );
    }
    const seen = await effects.look(progress);
    // What a guard has taken back is tried once more; what it says of that try counts.
    const forgives = first && again;
    if (first) {
      first = false;
      progress = startingPoint(progress, seen, again);
      const weights = seen.clusters.flatMap((cluster) => cluster.weights);
      effects.tell({
        event: "begin",
        release: seen.release,
        weight: Math.max(0, ...weights),
        resumed: continues(progress, seen.release, weights),
      });
    }
    const look: Look = {
      ...seen,
      ...(forgives && { guards: undefined }),
      ...(answers && { answers }),
      ...(raiseFailed !== undefined && { raiseFailed }),
    };
    const { progress: next, step } = nextStep(progress, look, plan, effects.now());
    raiseFailed = undefined;
    if (step.do === "ask") {
      await remember(next);
      answers = { [step.when]: await effects.ask(step.when, next) };
      continue;
    }
    answers = undefined;
    effects.tell({
      event: "look",
      weight: next.weight,
      step: step.do,
      reason: describe(step, seen.verdicts.length),
      since: new Date(next.since).toISOString(),
      verdicts: seen.verdicts,
    });
    switch (step.do) {
      case "wait":
        await remember(next);
        expectRise(next.weight);
        tellWaiting(step, next.weight);
        await effects.pause(signal);
        break;
      case "raise":
        await remember(next);
        waitsFor = undefined;
        if (!waiting) effects.tell({ event: "raise", weight: step.weight });
        try {
          await effects.raise(step.weight);
          effects.tell({ event: "raised", weight: step.weight });
          await remember(phase(next.release, step.weight, effects.now()));
          waiting = undefined;
        } catch (error) {
          const reason = reasonOf(error);
          if (error instanceof TakenBack) {
            effects.tell({ event: "raise-failed", weight: step.weight, reason });
            return finish("stopped", reason);
          }
          const since = waiting?.since ?? effects.now();
          if (mayWait(error, effects.now() - since) && !isInterrupted()) {
            if (waiting?.reason !== reason) {
              effects.tell({ event: "raise-waits", weight: step.weight, reason });
            }
            waiting = { since, reason };
            await effects.pause(signal);
            break;
          }
          raiseFailed = reason;
          effects.tell({ event: "raise-failed", weight: step.weight, reason: raiseFailed });
        }
        break;
      case "roll-back": {
        const { reason } = step;
        effects.tell({ event: "roll-back", reason });
        // The way down waits for nothing, not even for a cluster that does not remember.
        const [undone] = await Promise.allSettled([
          rollBack(reason),
          remember({ ...next, rollingBack: reason }),
        ]);
        if (undone.status === "rejected") {
          const left = reasonOf(undone.reason);
          effects.tell({ event: "rollback-incomplete", reason: left });
          return finish("rollback-incomplete", `${reason}\n${left}`);
        }
        await remember({
          ...phase(next.release, 0, effects.now()),
          failedServices: next.failedServices,
          end: { result: "rolled-back", reason },
        });
        effects.tell({ event: "rolled-back" });
        return finish("rolled-back", reason);
      }
      case "end": {
        const { end } = step;
        if (end.result === "done") await remember({ ...next, end });
        return finish(end.result, end.reason);
      }
    }
  }
}

/**
 * What a command that starts goes on from. A weight that was lowered since by somebody else is a new
 * beginning, and so is a canary that was rolled back if it is to be tried again.
 */
function startingPoint(
  progress: Progress | undefined,
  { clusters }: Look,
  again: boolean,
): Progress | undefined {
  if (!progress) return undefined;
  if (progress.rollingBack !== undefined) return progress;
  if (progress.end) return again ? undefined : progress;
  const weights = clusters.flatMap((cluster) => cluster.weights);
  const lowered = weights.length > 0 && weights.every((weight) => weight < progress.weight);
  return lowered ? undefined : progress;
}

function describe(step: Exclude<Step, { do: "ask" }>, gates: number): string {
  switch (step.do) {
    case "wait":
      return `${step.for}: ${step.reason}`;
    case "raise":
      return `${gates === 0 ? "" : "all gates have passed in all clusters: "}on to ${step.weight} %`;
    case "roll-back":
      return step.reason;
    case "end":
      return step.end.reason;
  }
}
