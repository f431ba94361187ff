import { failureId, type GuardNote } from "./journal.ts";
import { canariesOf } from "./release-name.ts";

/** What is known of a rollout, as far as verdicts depend on it. */
interface RolloutPhase {
  readonly release: string;
  readonly weight: number;
  /** In milliseconds since 1970. */
  readonly since: number;
  readonly rollingBack?: string | undefined;
  readonly failedServices?: readonly string[] | undefined;
  readonly end?: { readonly result: string; readonly reason: string } | undefined;
}

/** Whether a rollout has neither ended nor begun to roll back. */
export const goesOn = ({ end, rollingBack }: RolloutPhase) => !end && rollingBack === undefined;

/**
 * Whether what a guard has said counts no more: an update tries the canary again in spite of it, or somebody has begun
 * a new rollout of the same canary since its gate has failed. A rollout that was raising at that moment goes on to a
 * higher weight instead: that is no new beginning. Both times come from rollouts wherever there is one, so that no clock
 * is compared with another.
 *
 * @param forgiven by failureId
 */
export function isOver(
  note: Pick<GuardNote, "cluster" | "failed">,
  phase: RolloutPhase | undefined,
  forgiven: readonly string[],
): boolean {
  const { failed } = note;
  if (failed === undefined || forgiven.includes(failureId(note))) return true;
  return (
    phase !== undefined &&
    goesOn(phase) &&
    phase.since > failed.since &&
    phase.weight <= failed.weight
  );
}

/**
 * Why a guard takes the release back.
 *
 * @param progress of a rollout, which may have begun anew since
 * @param forgiven by failureId
 * @returns undefined if none does
 */
export function guardsVerdict(
  guards: readonly GuardNote[],
  release: string,
  progress: RolloutPhase | undefined,
  forgiven: readonly string[],
): string | undefined {
  const phase = progress?.release === release ? progress : undefined;
  const found = guards.find((note) => note.release === release && !isOver(note, phase, forgiven));
  return found?.failed && `the guard of ${found.cluster} says: ${found.failed.reason}`;
}

/**
 * Why a rollout has taken the release back, or is about to.
 *
 * @param isZero whether no cluster gives it anything: once one does, somebody has begun anew
 * @returns undefined if none has
 */
export function rolloutsVerdict(
  progress: RolloutPhase | undefined,
  release: string,
  isZero: boolean,
): string | undefined {
  if (progress?.release !== release) return undefined;
  const { rollingBack, end } = progress;
  const ended = end?.result === "rolled-back" && isZero ? end.reason : undefined;
  const reason = rollingBack ?? ended;
  return reason === undefined ? undefined : `a rollout has rolled it back: ${reason}`;
}

/**
 * The canaries that guards and a rollout have taken back, of whatever release they were part, and why.
 *
 * @param isZero whether no cluster gives the canaries anything
 * @returns by their names in the release's
 */
export function failedCanaries(
  guards: readonly GuardNote[],
  progress: RolloutPhase | undefined,
  forgiven: readonly string[],
  isZero: boolean,
): ReadonlyMap<string, string> {
  const rollouts = progress && rolloutsVerdict(progress, progress.release, isZero);
  const verdicts = [
    { release: progress?.release ?? "", services: progress?.failedServices, reason: rollouts },
    ...guards.map((note) => ({
      release: note.release,
      services: note.failed?.services,
      reason: guardsVerdict([note], note.release, progress, forgiven),
    })),
  ];
  return new Map(
    verdicts.flatMap(({ release, services, reason }) =>
      reason === undefined
        ? []
        : canariesOf(release, services).map((canary) => [canary, reason] as const),
    ),
  );
}
