import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { eventFile, eventLine, eventText, readEvents } from "../../../release/events.ts";
import { timed } from "../../../release/rollout-event.ts";

const T0 = Date.UTC(2026, 0, 1);
const pass = { outcome: "pass", blind: false, text: "cluster-a: all well" } as const;
const look = {
  event: "look",
  weight: 10,
  step: "wait",
  reason: "bake: 300 s of the bake time are left",
  since: new Date(T0).toISOString(),
  verdicts: [pass],
} as const;

describe("events", () => {
  it("are lines of JSON with a time, in a file of its owner's", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "events-"));
    try {
      const file = path.join(folder, "events.jsonl");
      const append = eventFile(file);
      append(eventLine(timed({ event: "raise", weight: 30 }, T0)));
      append(eventLine(timed({ event: "raised", weight: 30 }, T0 + 1000)));
      expect(await readFile(file, "utf8")).toBe(
        '{"time":"2026-01-01T00:00:00.000Z","event":"raise","weight":30}\n' +
          '{"time":"2026-01-01T00:00:01.000Z","event":"raised","weight":30}\n',
      );
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(readEvents(file).map(({ event }) => event)).toEqual(["raise", "raised"]);
      await appendFile(file, 'no JSON\n\n{"event":"raise"}\n');
      expect(() => readEvents(file)).toThrow(
        /holds something other than events of a rollout:\n - line 3: .*\n - line 5: .*time/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("need a file that can be written, before anything happens", () => {
    expect(() => eventFile("/nowhere/events.jsonl")).toThrow("ENOENT");
  });

  it("say to people what has happened, and nothing of what has not changed", () => {
    expect(eventText({ event: "roll-back", reason: "cluster-b: 95 %" })).toBe(
      "rolling back in every cluster: cluster-b: 95 %",
    );
    expect(eventText(look)).toBeUndefined();
    const release = Array.from({ length: 20 }, (_, i) => `user/s${i} v2 (image:v2)`).join(", ");
    expect(eventText({ event: "begin", release, weight: 0, resumed: false })).toBe(
      "rollout of user/s0 v2 (image:v2), user/s1 v2 (image:v2), user/s2 v2 (image:v2), and 17 more, at 0 %",
    );
  });
});
