import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { ListrTask } from "listr2";
import { run, type RunOptions } from "./run.ts";

/** What a step's work can use. */
export interface Work {
  /** Says in a few words how far the work is; shown with the step's name and its elapsed time. */
  readonly progress: (text: string) => void;
  /** Runs a command, with its output in this step's log. */
  readonly run: (
    command: string,
    args: readonly string[],
    options?: Omit<RunOptions, "log" | "signal">,
  ) => Promise<void>;
}

/** One part of the toolchain: something that is looked for and, if missing, installed or built. */
export interface Step {
  /** Its name on the screen and of its log file: lower case, few words. */
  readonly name: string;
  /** Steps that must be done before this one starts. */
  readonly after: readonly Step[];
  readonly isDone: () => boolean | Promise<boolean>;
  readonly work: (work: Work) => Promise<void>;
}

/** Seconds between two signs of life of a running step: on a terminal, and in a log. */
const BEAT_SECONDS = { terminal: 1, log: 30 };

/**
 * The steps as Listr tasks, to be run concurrently: each waits for the steps it comes after. The
 * first failure ends the commands of all others.
 */
export function asTasks(steps: readonly Step[], logDir: string): ListrTask[] {
  const failure = new AbortController();
  const outcomes = new Map(
    steps.map((step) => {
      const outcome = Promise.withResolvers<undefined>();
      // A step that nothing waits for fails through its own task.
      outcome.promise.catch(() => undefined);
      return [step, outcome];
    }),
  );
  return steps.map((step) => ({
    title: step.name,
    task: async (_context, task) => {
      const outcome = outcomes.get(step);
      try {
        if (await step.isDone()) {
          task.skip(`${step.name}: cached`);
        } else {
          for (const earlier of step.after) await outcomes.get(earlier)?.promise;
          const seconds = await doWork(step, logDir, failure.signal, (text) => {
            task.output = text;
          });
          task.title = `${step.name} (${duration(seconds)})`;
        }
        outcome?.resolve(undefined);
      } catch (error) {
        // Only the first failure tells what happened; the others are its consequence.
        const first = !failure.signal.aborted;
        failure.abort(new Error(`stopped, because "${step.name}" failed`));
        outcome?.reject(failure.signal.reason);
        throw first ? error : failure.signal.reason;
      }
    },
  }));
}

async function doWork(
  step: Step,
  logDir: string,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<number> {
  const log = join(logDir, `${step.name.replaceAll(/[^a-z0-9]+/g, "-")}.log`);
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let state = "";
  const beat = () => {
    say([step.name, duration(elapsed()), state].filter((part) => part !== "").join(", "));
  };
  const every = process.stdout.isTTY ? BEAT_SECONDS.terminal : BEAT_SECONDS.log;
  const timer = setInterval(beat, every * 1000);
  try {
    await step.work({
      progress: (text) => {
        state = text;
      },
      run: (command, args, options) => run(command, args, { ...options, log, signal }),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`${step.name} failed after ${duration(elapsed())}: ${asError(error).message}`, {
      cause: error,
    });
  } finally {
    clearInterval(timer);
  }
  return elapsed();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Seconds as a person reads them: `42 s`, `3 m 05 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`;
}
