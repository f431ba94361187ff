import { explain } from "../../fleet/explain.ts";
import type { GuardFile } from "../../stacks/guard-file.ts";
import { durationMs } from "../../lib/duration.ts";
import { JOURNAL_FORMAT, type GuardNote } from "../../lib/journal.ts";
import type { GuardEvent } from "../notifications.ts";
import type { Verdict } from "../planner.ts";
import {
  actionOf,
  judged,
  remembered,
  type Action,
  type GuardMemory,
  type GuardRules,
  type Sight,
  type Sights,
} from "./decide.ts";

/** Pause between two looks at a cluster, and between two tries to lower it, in milliseconds. */
const LOOK_MS = 5_000;
/** A note that has not changed is written anew after this time, in milliseconds: it tells that the guard lives. */
const NOTE_MS = 30_000;
/** People are told that it is cut off after so many milliseconds: a restart of an API server is over by then. */
const CUT_OFF_MS = 60_000;

/** A look at the clusters, and what the guard makes of it; times in milliseconds since 1970. */
export interface GuardLook {
  readonly at: number;
  /** Since when the guard runs. */
  readonly startedAt: number;
  readonly sights: Sights;
  /** Looks at the gates that have failed in this phase. */
  readonly failures: number;
  readonly does: Action["do"];
}

/** What a guard sees and does; the edges at which a test stands in. */
export interface GuardEffects {
  /** What is to be guarded, as the newest update has it. @throws if it is not known */
  file(): Promise<GuardFile>;
  /** Looks at one cluster. @throws if it does not answer */
  look(cluster: string, file: GuardFile): Promise<Omit<Sight, "answers">>;
  /** What the gates of the guard's own cluster say. */
  verdicts(
    file: GuardFile,
    phase: Pick<GuardMemory, "weight" | "since">,
  ): Promise<readonly Verdict[]>;
  /** Lowers the canaries of one cluster to 0. @throws unless its API server has been read back to have 0 */
  lower(cluster: string, file: GuardFile): Promise<void>;
  /** Writes what the guard does into one cluster. @throws if it does not answer */
  note(cluster: string, file: GuardFile, note: GuardNote): Promise<void>;
  tell(text: string): void;
  /** Tells people elsewhere. It never fails, and nobody waits for it. */
  notify(file: GuardFile, event: GuardEvent): void;
  /** Counts a look at the clusters. */
  looked(file: GuardFile, look: GuardLook): void;
  /** Counts a look at the gates. */
  judged(verdicts: readonly Verdict[]): void;
  /** In milliseconds since 1970. */
  now(): number;
  /** Waits so many milliseconds, or for the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

function noVerdict(error: unknown): readonly Verdict[] {
  return [{ outcome: "hold", blind: true, text: `the gates are unknown: ${explain(error)}` }];
}

function rulesOf(file: GuardFile): GuardRules {
  const { cluster, clusters, quarantine, release, rollout, partitionLimit } = file;
  return {
    cluster,
    quarantined: quarantine.includes(cluster),
    others: clusters.filter((name) => name !== cluster),
    release,
    maxFailures: rollout.maxFailures,
    partitionLimitMs:
      partitionLimit === "never" ? Number.POSITIVE_INFINITY : durationMs(partitionLimit),
  };
}

/**
 * Watches the release of a stack from within one cluster, and lowers its canaries when a gate fails anywhere. It never
 * raises a weight. Each cluster is looked at, lowered and written to by itself, so that none waits for another.
 *
 * @param signal ends it
 */
export async function guard(effects: GuardEffects, signal: AbortSignal): Promise<void> {
  const startedAt = effects.now();
  let memory: GuardMemory | undefined;
  let unknown: string | undefined;
  while (!signal.aborted) {
    try {
      const file = await effects.file();
      unknown = undefined;
      memory = await new Watch(effects, file, memory, startedAt).run(signal);
    } catch (error) {
      const why = explain(error);
      if (why !== unknown) effects.tell(`hold: it is not known what to guard: ${why}`);
      unknown = why;
      await effects.pause(LOOK_MS, signal);
    }
  }
}

/** The guard while its file stays the same. */
class Watch {
  readonly #effects: GuardEffects;
  readonly #file: GuardFile;
  readonly #rules: GuardRules;
  readonly #startedAt: number;
  readonly #sights = new Map<string, Sight>();
  /** What is wrong, and why; told once each. */
  readonly #problems = new Map<string, string>();
  readonly #notes = new Map<string, { readonly content: string; readonly at: number }>();
  #memory: GuardMemory | undefined;
  #verdicts: readonly Verdict[] = [];
  #told: string | undefined;
  /** What people were told last of its being cut off. */
  #notified: Action["do"] | undefined;
  /** Ends the pauses between two looks. */
  #wake = new AbortController();

  constructor(
    effects: GuardEffects,
    file: GuardFile,
    memory: GuardMemory | undefined,
    startedAt: number,
  ) {
    this.#effects = effects;
    this.#file = file;
    this.#rules = rulesOf(file);
    this.#memory = memory;
    this.#startedAt = startedAt;
  }

  /** Goes on until the file has changed, or the signal comes. @returns what is remembered */
  async run(signal: AbortSignal): Promise<GuardMemory | undefined> {
    const changed = new AbortController();
    const end = AbortSignal.any([signal, changed.signal]);
    const { clusters } = this.#file;
    this.#effects.tell(`watches ${this.#file.release || "no canary"} from ${this.#file.cluster}`);
    // What it was about to do before a restart is in any of the journals.
    await Promise.all(clusters.map((cluster) => this.#see(cluster)));
    this.#memory ??= [...this.#sights.values()]
      .flatMap(({ guards }) => guards)
      .filter(({ cluster }) => cluster === this.#file.cluster)
      .toSorted((one, other) => other.at - one.at)[0];
    await Promise.all([
      this.#judge(end),
      this.#follow(changed, end),
      ...clusters.map((cluster) => this.#attend(cluster, end)),
    ]);
    return this.#memory;
  }

  /** Looks whether an update has written another file. One that cannot be read is another one, too. */
  async #follow(changed: AbortController, end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      await this.#effects.pause(LOOK_MS, end);
      if (!(await this.#isCurrent())) changed.abort();
    }
  }

  async #isCurrent(): Promise<boolean> {
    try {
      return JSON.stringify(await this.#effects.file()) === JSON.stringify(this.#file);
    } catch {
      return false;
    }
  }

  /** Asks the gates of its own cluster, as often as a rollout does. */
  async #judge(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      const { weight, since } = this.#remember();
      const verdicts =
        weight === 0
          ? []
          : await this.#effects.verdicts(this.#file, { weight, since }).catch(noVerdict);
      if (weight > 0) this.#effects.judged(verdicts);
      const now = this.#remember();
      // Meanwhile it may be another phase, of which they say nothing.
      if (now.weight === weight && now.since === since) {
        this.#verdicts = verdicts;
        this.#memory = judged(now, verdicts, this.#rules, this.#effects.now());
        const { failed } = this.#memory;
        if (failed && !now.failed) {
          this.#wakeUp();
          this.#notify("lower", failed.reason);
        }
      }
      await this.#effects.pause(durationMs(this.#file.rollout.interval), end);
    }
  }

  #remember(): GuardMemory {
    const { weight, since } = this.#memory ?? {};
    const memory = remembered(this.#memory, this.#rules, this.#sights, this.#effects.now());
    if (memory.weight !== weight || memory.since !== since) this.#verdicts = [];
    this.#memory = memory;
    return memory;
  }

  #wakeUp(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Looks at one cluster. */
  async #see(cluster: string): Promise<void> {
    const before = this.#sights.get(cluster);
    try {
      this.#sights.set(cluster, {
        ...(await this.#effects.look(cluster, this.#file)),
        answers: true,
      });
    } catch (error) {
      this.#sights.set(cluster, { guards: [], ...before, answers: false });
      this.#complain(`${cluster} does not answer`, error);
      return;
    }
    if (this.#problems.delete(`${cluster} does not answer`)) {
      this.#effects.tell(`${cluster} answers again`);
    }
  }

  /** Looks at one cluster, lowers it if that is to be, and notes it there. */
  async #attend(cluster: string, end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      const action = this.#decide();
      if (action.do === "lower") await this.#lower(cluster, action.reason);
      await this.#note(cluster, action);
      await this.#effects.pause(LOOK_MS, AbortSignal.any([end, this.#wake.signal]));
      await this.#see(cluster);
    }
  }

  #decide(): Action {
    const memory = this.#remember();
    const now = this.#effects.now();
    const action = actionOf(memory, this.#rules, this.#sights, this.#verdicts, now);
    this.#effects.looked(this.#file, {
      at: now,
      startedAt: this.#startedAt,
      sights: this.#sights,
      failures: memory.failures.total,
      does: action.do,
    });
    const text = `${action.do}: ${action.reason}`;
    if (text !== this.#told) this.#effects.tell(text);
    this.#told = text;
    this.#notifyCutOff(action, now);
    return action;
  }

  /** Of what another guard or a rollout has found, these tell people themselves. */
  #notify(does: GuardEvent["does"], reason: string): void {
    const { cluster } = this.#file;
    const weight = this.#memory?.weight ?? 0;
    this.#effects.notify(this.#file, { event: "guard", cluster, does, weight, reason });
  }

  #notifyCutOff({ do: does, reason, cutOff = false }: Action, now: number): void {
    if (!cutOff || does === "watch") {
      this.#notified = undefined;
      return;
    }
    const since = this.#memory?.contactAt ?? now;
    if (does === this.#notified || (does === "hold" && now - since < CUT_OFF_MS)) return;
    this.#notified = does;
    this.#notify(does, reason);
  }

  async #lower(cluster: string, reason: string): Promise<void> {
    const { answers, weight = 0 } = this.#sights.get(cluster) ?? {};
    if (answers !== true || weight === 0) return;
    // What an update has written since is another release, which has done nothing.
    if (!(await this.#isCurrent())) return;
    try {
      await this.#effects.lower(cluster, this.#file);
      this.#problems.delete(`${cluster} is not lowered yet`);
      this.#effects.tell(
        `${cluster} was lowered from ${weight} % to 0 %, as read back from its API server: ${reason}`,
      );
    } catch (error) {
      this.#complain(`${cluster} is not lowered yet`, error);
    }
    await this.#see(cluster);
  }

  /** Notes what it does, if that has changed or the last note is old. */
  async #note(cluster: string, action: Action): Promise<void> {
    if (this.#sights.get(cluster)?.answers !== true) return;
    const { contactAt, ...memory } = this.#remember();
    const about = {
      format: JOURNAL_FORMAT,
      cluster: this.#file.cluster,
      startedAt: this.#startedAt,
      ...memory,
      does: action.do,
      says: action.reason,
    };
    const at = this.#effects.now();
    const content = JSON.stringify(about);
    const last = this.#notes.get(cluster);
    if (last?.content === content && at - last.at < NOTE_MS) return;
    try {
      await this.#effects.note(cluster, this.#file, { ...about, contactAt, at });
      this.#notes.set(cluster, { content, at });
      this.#problems.delete(`the journal in ${cluster} cannot be written`);
    } catch (error) {
      this.#complain(`the journal in ${cluster} cannot be written`, error);
    }
  }

  /** Tells of a problem that is new, or has another cause than before. */
  #complain(problem: string, error: unknown): void {
    const why = explain(error);
    if (this.#problems.get(problem) === why) return;
    this.#problems.set(problem, why);
    this.#effects.tell(`${problem}: ${why}`);
  }
}
