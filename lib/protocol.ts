/**
 * How weights rise in all clusters or in none, as a state machine without any effect of its own:
 *
 *     checking → writing → confirming → raised
 *        ↓          ↓          ↓
 *     refused    restoring → restored
 *
 * In each step every awaited cluster has one task; the machine goes on when all have reported. A
 * program that dies leaves clusters in any place; the next run starts again from what it reads.
 */

/** Steps in which the clusters have something to do. */
export type Task = "checking" | "writing" | "confirming" | "restoring";
/** How it ended: all new, none changed, or all taken back. */
export type End = "raised" | "refused" | "restored";

/**
 * Which weights a cluster has: `unsure` after a write without an answer, `lost` if it could not be
 * taken back, so that nobody knows.
 */
type Place = "old" | "unsure" | "new" | "lost";

/** What came of a task: it is done, it has had no effect, or nobody knows. */
export type TaskOutcome = "done" | "refused" | "unsure";

export interface State {
  readonly step: Task | End;
  readonly places: Readonly<Record<string, Place>>;
  /** Clusters whose report is outstanding. */
  readonly awaited: readonly string[];
  /** Clusters whose task of this step was not done. */
  readonly failed: readonly string[];
}

/** The beginning, for the clusters in which the weight is to rise. */
export function begin(clusters: readonly string[]): State {
  return {
    step: "checking",
    places: Object.fromEntries(clusters.map((cluster) => [cluster, "old"])),
    awaited: clusters,
    failed: [],
  };
}

/** Whether there is nothing left to do. */
export function isEnd(step: Task | End): step is End {
  return step === "raised" || step === "refused" || step === "restored";
}

/** Where a cluster is after a task. */
function placed(step: Task, outcome: TaskOutcome, before: Place): Place {
  switch (step) {
    case "checking":
    case "confirming":
      return before;
    case "writing":
      return outcome === "done" ? "new" : outcome === "unsure" ? "unsure" : "old";
    case "restoring":
      return outcome === "done" ? "old" : "lost";
  }
}

/**
 * The state after one cluster's report.
 *
 * @throws if no report of this cluster is outstanding
 */
export function report(state: State, cluster: string, outcome: TaskOutcome): State {
  const { step } = state;
  if (isEnd(step) || !state.awaited.includes(cluster)) {
    throw new Error(`no report of ${cluster} is outstanding while ${step}`);
  }
  const awaited = state.awaited.filter((other) => other !== cluster);
  const failed = outcome === "done" ? state.failed : [...state.failed, cluster];
  const places = {
    ...state.places,
    [cluster]: placed(step, outcome, state.places[cluster] ?? "old"),
  };
  return awaited.length > 0
    ? { step, places, awaited, failed }
    : { ...next(step, places, failed.length === 0), places };
}

/** What follows when all have reported. */
function next(
  step: Task,
  places: Readonly<Record<string, Place>>,
  allDone: boolean,
): Omit<State, "places"> {
  const all = Object.keys(places);
  const changed = all.filter((cluster) => places[cluster] !== "old");
  const go = (to: Task | End, awaited: readonly string[] = []) => ({
    step: to,
    awaited,
    failed: [],
  });
  switch (step) {
    case "checking":
      return allDone ? go("writing", all) : go("refused");
    case "writing":
      if (allDone) return go("confirming", all);
      return changed.length > 0 ? go("restoring", changed) : go("refused");
    case "confirming":
      return allDone ? go("raised") : go("restoring", all);
    case "restoring":
      return go("restored");
  }
}
