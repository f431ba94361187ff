import { begin, isEnd, report, type TaskOutcome, type State, type Task } from "../lib/protocol.ts";
import { isTransient } from "./explain.ts";

/**
 * What carries out a task in one cluster, and throws if it is not done: a TaskFailure if the outcome is
 * known, anything else if it is not.
 */
export type Actions = Readonly<Record<Task, (cluster: string) => Promise<void>>>;

/** How the weights of all clusters were raised, or not. */
export interface Raised {
  /** The last state. */
  readonly state: State;
  /** What was said by tasks that were not done. */
  readonly reasons: readonly {
    readonly cluster: string;
    readonly task: Task;
    readonly reason: string;
    /** Whether the same task may be done in a moment. */
    readonly mayHeal: boolean;
  }[];
}

/** Says why a task was not done, and whether it has had an effect. */
export class TaskFailure extends Error {
  readonly outcome: TaskOutcome;
  readonly mayHeal: boolean;

  /** @param mayHeal whether the same task may be done in a moment. @default false */
  constructor(outcome: TaskOutcome, reason: string, mayHeal = false) {
    super(reason);
    this.outcome = outcome;
    this.mayHeal = mayHeal;
  }
}

/** Runs the protocol: in every step all clusters at once. */
export async function runProtocol(clusters: readonly string[], actions: Actions): Promise<Raised> {
  const reasons: Raised["reasons"][number][] = [];
  const perform = async (task: Task, cluster: string): Promise<TaskOutcome> => {
    try {
      await actions[task](cluster);
      return "done";
    } catch (error) {
      reasons.push({
        cluster,
        task,
        reason: error instanceof Error ? error.message : String(error),
        mayHeal: error instanceof TaskFailure ? error.mayHeal : isTransient(error),
      });
      return error instanceof TaskFailure ? error.outcome : "unsure";
    }
  };
  let state = begin(clusters);
  while (!isEnd(state.step)) {
    const task = state.step;
    await Promise.all(
      state.awaited.map(async (cluster) => {
        const outcome = await perform(task, cluster);
        state = report(state, cluster, outcome);
      }),
    );
  }
  return { state, reasons };
}
