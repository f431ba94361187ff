/** Another update of the stack is running. */
export class StackLocked extends Error {
  /** Who holds the lock and since when, as the backend says it. */
  readonly holders: string;

  constructor(stack: string, holders: string, options?: ErrorOptions) {
    super(
      `Another update of stack ${stack} is running:\n${holders}\n` +
        `Wait for it to end. If it was killed: pulumi cancel --yes --stack ${stack}, then this command again.`,
      options,
    );
    this.holders = holders.trim().replaceAll(/\s*\n\s*/g, "; ");
  }
}

/** A rise that has failed for a reason that may heal by itself: the same may be tried again. */
export class MayHeal extends Error {}
