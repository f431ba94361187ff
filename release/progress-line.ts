import { createLogUpdate } from "log-update";
import { bakeAt, decides, type RolloutPlan } from "./planner.ts";
import type { RolloutEvent } from "./rollout-event.ts";

/** Characters of the bar. */
const WIDTH = 20;

type LogUpdate = ReturnType<typeof createLogUpdate>;
type LookEvent = Extract<RolloutEvent, { readonly event: "look" }>;

/** One look in one line: the phase's bar, and what is being waited for. */
export function progressText(
  { weight, since, reason, verdicts }: LookEvent,
  plan: RolloutPlan,
  now: number,
): string {
  const whole = bakeAt(plan, weight);
  const part = whole === 0 ? 1 : Math.min(1, (now - Date.parse(since)) / whole);
  const full = Math.round(part * WIDTH);
  const gates = verdicts.filter((each) => decides(each) && each.outcome !== "idle");
  const passed = gates.filter(({ outcome }) => outcome === "pass").length;
  return `${weight} % [${"#".repeat(full)}${"-".repeat(WIDTH - full)}] ${passed}/${gates.length} gates, ${reason}`;
}

/** Shows looks at the end of a terminal, each replacing the one before; elsewhere each on its own line. */
export class ProgressLine {
  readonly #quiet: boolean;
  readonly #stream: NodeJS.WriteStream;
  readonly #over: LogUpdate | undefined;

  /** @param quiet whether nothing is to be shown */
  constructor(quiet: boolean, stream: NodeJS.WriteStream = process.stdout) {
    this.#quiet = quiet;
    this.#stream = stream;
    // Hiding the cursor would need a listener to signals, which are the rollout's own matter.
    this.#over = stream.isTTY ? createLogUpdate(stream, { showCursor: true }) : undefined;
  }

  show(event: LookEvent, plan: RolloutPlan, now: number): void {
    if (this.#quiet) return;
    const text = progressText(event, plan, now);
    if (this.#over) this.#over(text);
    else this.#stream.write(`${text}\n`);
  }

  /** Prints what stays. */
  print(text: string | undefined): void {
    if (this.#quiet || text === undefined) return;
    if (this.#over) this.#over.persist(text);
    else this.#stream.write(`${text}\n`);
  }

  /** Leaves the last look where it is. */
  end(): void {
    this.#over?.done();
  }
}
