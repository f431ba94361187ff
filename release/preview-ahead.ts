import type { Digest } from "../preview/digest.ts";
import type { ReleaseStack } from "./stack.ts";

interface Ahead {
  readonly weight: number;
  readonly fingerprint: string;
  readonly digest: Promise<Digest>;
  readonly stop: AbortController;
}

/**
 * Previews the next weight while a phase bakes, so that a raise need not wait for a preview. What a preview
 * shows follows from the program, its configuration and Pulumi's state: it counts as long as none of them
 * has changed.
 */
export class PreviewAhead {
  readonly #stack: Pick<ReleaseStack, "previewAt" | "fingerprint">;
  #ahead: Ahead | undefined;
  #beginning = false;
  #stopped = false;

  constructor(stack: Pick<ReleaseStack, "previewAt" | "fingerprint">) {
    this.#stack = stack;
  }

  /** Begins the preview of a weight, unless it has begun already. Never fails. */
  async begin(weight: number): Promise<void> {
    if (this.#stopped || this.#beginning || this.#ahead?.weight === weight) return;
    this.#beginning = true;
    try {
      this.#drop();
      const fingerprint = await this.#stack.fingerprint();
      if (this.#isStopped()) return;
      const stop = new AbortController();
      const digest = this.#stack.previewAt(weight, stop.signal);
      // `previewAt` runs another one then, whose error is told.
      digest.catch(() => undefined);
      this.#ahead = { weight, fingerprint, digest, stop };
    } catch {
      // The next raise previews for itself, and says what is wrong.
    } finally {
      this.#beginning = false;
    }
  }

  /**
   * The preview of a weight: the one that has begun, if it has succeeded and nothing has changed since; else a new one.
   *
   * @throws if it fails
   */
  async previewAt(weight: number): Promise<Digest> {
    const ahead = this.#ahead;
    if (ahead?.weight === weight) {
      const digest = await ahead.digest.catch(() => undefined);
      const fingerprint = await this.#stack.fingerprint().catch(() => undefined);
      if (digest && fingerprint === ahead.fingerprint) return digest;
    }
    this.#ahead = undefined;
    return this.#stack.previewAt(weight);
  }

  /** Ends a preview that is under way; none begins after it. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #drop(): void {
    this.#ahead?.stop.abort();
    this.#ahead = undefined;
  }
}
