import { begin, isEnd, report, type TaskOutcome, type State, type Task } from "../lib/protocol.ts";

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
  }[];
}

/** Says why a task was not done, and whether it has had an effect. */
export class TaskFailure extends Error {
  readonly outcome: TaskOutcome;

  constructor(outcome: TaskOutcome, reason: string) {
    super(reason);
    this.outcome = outcome;
  }
}

/** Runs the protocol: in every step all clusters at once. */
export async function runProtocol(clusters: readonly string[], actions: Actions): Promise<Raised> {
  const reasons: { cluster: string; task: Task; reason: string }[] = [];
  const perform = async (task: Task, cluster: string): Promise<TaskOutcome> => {
    try {
      await actions[task](cluster);
      return "done";
    } catch (error) {
      reasons.push({
        cluster,
        task,
        reason: error instanceof Error ? error.message : String(error),
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
