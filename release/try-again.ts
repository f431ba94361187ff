/**
 * A rise that somebody else's work blocks, which says nothing about the canary: it is retried for as long as that
 * takes.
 */
export class Held extends Error {}

/** Another update of the stack is running. */
export class StackLocked extends Held {
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

/** Another command raises the weight of the release. */
export class LeaseHeld extends Held {
  /** Who does. */
  readonly holder: string;

  constructor(cluster: string, holder: string, since: Date | undefined) {
    super(
      `${holder} has been raising the weight of this release${since ? ` since ${new Date(since).toISOString()}` : ""} (lease in ${cluster}). Until it ends, this command only watches, and rolls back a bad canary.`,
    );
    this.holder = holder;
  }
}

/** Somebody has lowered the weight since the last update, and the update of a rise has kept that. */
export class TakenBack extends Error {
  constructor(stack: string, weight: number, inForce: string) {
    super(
      [
        `The weight stays ${inForce} % and does not rise to ${weight} %: somebody has lowered it since the last update, and updates keep that.`,
        `To raise it all the same: npm run release -- rollout --stack ${stack} --again.`,
        `Or set weight to ${inForce} in the config first, and run pulumi up --stack ${stack}.`,
      ].join(" "),
    );
  }
}
