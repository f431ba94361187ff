import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ProgressLine, progressText } from "../../../release/progress-line.ts";
import { rolloutPlan } from "../../helpers/rollout-plan.ts";

const T0 = Date.UTC(2026, 0, 1);
const plan = rolloutPlan();
const pass = { outcome: "pass", blind: false, text: "cluster-a: all well" } as const;
const hold = { outcome: "hold", blind: false, text: "cluster-b: 3 of 100 requests" } as const;
const look = {
  event: "look",
  weight: 10,
  step: "wait",
  reason: "bake: 300 s of the bake time are left",
  since: new Date(T0).toISOString(),
  verdicts: [pass, hold],
} as const;

describe("progressText", () => {
  it("shows how much of the bake time is over, and what is waited for", () => {
    expect(progressText(look, plan, T0 + 300_000)).toBe(
      "10 % [##########----------] 1/2 gates, bake: 300 s of the bake time are left",
    );
    expect(progressText(look, plan, T0 + 9_000_000)).toContain("[####################]");
  });

  it("goes by the bake time of the phase", () => {
    const longer = { ...plan, bakesMs: new Map([[10, 1_200_000]]) };
    expect(progressText(look, longer, T0 + 300_000)).toContain("[#####---------------]");
  });

  it("shows a phase without bake time as over, and counts only gates that have a say", () => {
    const dry = { ...pass, dryRun: true };
    const at0 = { ...look, weight: 0, verdicts: [hold, dry] };
    expect(progressText(at0, plan, T0)).toContain("0 % [####################] 0/1 gates");
    const idle = { ...pass, outcome: "idle" } as const;
    const passive = { ...look, verdicts: [pass, idle] };
    expect(progressText(passive, plan, T0)).toContain(" 1/1 gates");
  });
});

/** What is written to a terminal, or to a file. */
function shown(isTTY: boolean, quiet = false): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120, rows: 30 });
  const line = new ProgressLine(quiet, stream as unknown as NodeJS.WriteStream);
  line.show(look, plan, T0);
  line.show(look, plan, T0 + 300_000);
  line.print("raising to 30 % in every cluster");
  line.print(undefined);
  line.end();
  return (stream.read() as Buffer | null)?.toString() ?? "";
}
const [begin, middle] = [0, 300_000].map((after) => progressText(look, plan, T0 + after));

describe("the progress line", () => {
  it("is one line after the other where there is no terminal", () => {
    expect(shown(false)).toBe([begin, middle, "raising to 30 % in every cluster", ""].join("\n"));
  });

  it("is written over in a terminal, and makes room for what stays", () => {
    const text = shown(true);
    // Each erases the line before it.
    expect(text.split("\u001b[2K").length).toBeGreaterThan(2);
    expect(text).toContain("#####");
    expect(text).toMatch(/raising to 30 % in every cluster\n/);
    expect(text).not.toContain("\u001b[?25l");
  });

  it("is nothing where only machines read", () => {
    expect(shown(false, true)).toBe("");
    expect(shown(true, true)).toBe("");
  });
});
