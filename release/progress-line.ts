import type { Plan } from "./planner.ts";
import type { RolloutEvent } from "./rollout-event.ts";

/** Characters of the bar. */
const WIDTH = 20;

type LookEvent = Extract<RolloutEvent, { readonly event: "look" }>;

/** One look in one line: the phase's bar, and what is being waited for. */
export function progressText(
  { weight, since, reason, verdicts }: LookEvent,
  { bakeMs, trialMs }: Plan,
  now: number,
): string {
  const whole = weight === 0 ? (trialMs ?? 0) : bakeMs;
  const part = whole === 0 ? 1 : Math.min(1, (now - Date.parse(since)) / whole);
  const full = Math.round(part * WIDTH);
  const passed = verdicts.filter(({ outcome }) => outcome === "pass").length;
  return `${weight} % [${"#".repeat(full)}${"-".repeat(WIDTH - full)}] ${passed}/${verdicts.length} gates, ${reason}`;
}

/** Shows looks on one line of a terminal that is written over; elsewhere each as a line of its own. */
export class ProgressLine {
  readonly #quiet: boolean;
  readonly #over: boolean;
  #open = false;

  /** @param quiet whether nothing is to be shown */
  constructor(quiet: boolean) {
    this.#quiet = quiet;
    this.#over = process.stdout.isTTY;
  }

  show(event: LookEvent, plan: Plan, now: number): void {
    if (this.#quiet) return;
    const text = progressText(event, plan, now);
    if (!this.#over) {
      console.log(text);
      return;
    }
    process.stdout.write(`\r\u001b[2K${text.slice(0, process.stdout.columns - 1)}`);
    this.#open = true;
  }

  print(text: string | undefined): void {
    if (this.#quiet || text === undefined) return;
    this.end();
    console.log(text);
  }

  /** Leaves the line. */
  end(): void {
    if (this.#open) process.stdout.write("\n");
    this.#open = false;
  }
}
