/** Something to do, as soon as the steps it comes after are done. */
export interface Step {
  readonly name: string;
  readonly after: readonly string[];
  /** The signal is set when another step has failed: give up soon, the result is of no use. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs every step, those that do not depend on one another at the same time. The first failure stops
 * the rest and, when every running step has ended, is thrown.
 */
export async function runSteps(
  steps: readonly Step[],
  onDone: (name: string) => void = () => undefined,
): Promise<void> {
  const failure = new AbortController();
  const done = new Map(steps.map(({ name }) => [name, Promise.withResolvers<undefined>()]));
  const run = async (step: Step): Promise<void> => {
    await Promise.all(
      step.after.map((name) => {
        const before = done.get(name);
        if (!before) throw new Error(`Step ${step.name} comes after ${name}, which is no step`);
        return before.promise;
      }),
    );
    failure.signal.throwIfAborted();
    await step.run(failure.signal);
    onDone(step.name);
  };
  await Promise.allSettled(
    steps.map(async (step) => {
      try {
        await run(step);
      } catch (error) {
        failure.abort(error);
      } finally {
        done.get(step.name)?.resolve(undefined);
      }
    }),
  );
  failure.signal.throwIfAborted();
}
