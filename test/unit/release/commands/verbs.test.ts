import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Digest } from "../../../../preview/digest.ts";
import { pause, resume } from "../../../../release/commands/pause.ts";
import { plan } from "../../../../release/commands/plan.ts";
import { promote } from "../../../../release/commands/promote.ts";
import { status } from "../../../../release/commands/status.ts";
import type { Pause } from "../../../../release/journal.ts";
import { nextWeight } from "../../../../release/next-weight.ts";
import { openRelease, type OpenRelease } from "../../../../release/open.ts";
import { headline } from "../../../../release/status/headline.ts";
import { releaseLook } from "../../../../release/status/look.ts";
import { previewStep } from "../../../helpers/preview-step.ts";
import { lookOf } from "../../../helpers/simulated-look.ts";

vi.mock(import("../../../../release/open.ts"), async (original) => ({
  ...(await original()),
  openRelease: vi.fn<typeof openRelease>(),
}));
vi.mock(import("../../../../release/next-weight.ts"), () => ({
  nextWeight: vi.fn<typeof nextWeight>(),
}));
vi.mock("node:timers/promises", () => ({ setTimeout: vi.fn<typeof wait>() }));
vi.mock(import("../../../../release/status/look.ts"), () => ({
  releaseLook: vi.fn<typeof releaseLook>(),
}));

/** What was done to the stack, and what was printed. */
let done: string[];
let printed: string[];
let complained: string[];
let preview: () => Promise<Digest>;
let pauses: Pause[];
let forgetful: ReadonlyMap<string, string>;

beforeEach(() => {
  [done, printed, complained, pauses] = [[], [], [], []];
  preview = () => Promise.resolve(previewStep("update"));
  forgetful = new Map();
  vi.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
  vi.spyOn(console, "error").mockImplementation((text: string) => complained.push(text));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
  vi.mocked(nextWeight).mockResolvedValue({ now: 10, next: 30 });
  vi.mocked(openRelease).mockResolvedValue({
    clusters: [{ name: "cluster-a" }, { name: "cluster-b" }],
    journal: {
      writePause: (of: Pause) => {
        pauses.push(of);
        return Promise.resolve(forgetful);
      },
    },
    stack: {
      name: "prod",
      release: { weight: "10" },
      setWeight: (weight: number) => Promise.resolve(done.push(`config ${weight}`)),
      previewAt: (weight: number) => {
        done.push(`preview ${weight}`);
        return preview();
      },
      upAt: (weight: number, message: string) => {
        done.push(`up at ${weight}: ${message}`);
        return Promise.resolve(weight);
      },
    },
  } as unknown as OpenRelease);
});

describe("plan", () => {
  it("shows the next phase and what it changes, and does not touch the config file", async () => {
    await plan({ stack: "prod", format: "text" });
    expect(printed).toEqual([
      "next: from 10 % to 30 % in cluster-a, cluster-b\n - change VirtualService user/user-service in cluster-b",
    ]);
    expect(done).toEqual(["preview 30"]);
  });

  it("says that promote would refuse what loses something", async () => {
    preview = () => Promise.resolve(previewStep("delete", "Service"));
    await plan({ stack: "prod", format: "text" });
    expect(printed[0]).toMatch(
      / - delete Service user\/user-service in cluster-b\npromote and rollout refuse this, because something is deleted or replaced\.$/,
    );
  });

  it("speaks JSON and Markdown", async () => {
    await plan({ stack: "prod", format: "json" });
    expect(JSON.parse(printed[0] ?? "")).toMatchObject({
      weight: 10,
      next: 30,
      changes: [{ action: "change", cluster: "cluster-b", kind: "VirtualService" }],
    });
    await plan({ stack: "prod", format: "markdown" });
    expect(printed[1]).toContain("VirtualService");
  });

  it("leaves the config as it was when the preview fails", async () => {
    preview = () => Promise.reject(new Error("cluster-b is down"));
    await expect(plan({ stack: "prod", format: "text" })).rejects.toThrow("cluster-b is down");
    expect(done).toEqual(["preview 30"]);
  });

  it("does nothing after the last phase", async () => {
    vi.mocked(nextWeight).mockResolvedValue({ now: 100, next: undefined });
    await plan({ stack: "prod", format: "text" });
    await plan({ stack: "prod", format: "json" });
    expect(printed).toEqual([
      "The canary has 100 % in every cluster: there is no phase after it.",
      '{"weight":100,"next":null}',
    ]);
    expect(done).toEqual([]);
  });
});

describe("promote", () => {
  it("raises the weight by one phase", async () => {
    await promote({ stack: "prod" });
    expect(printed).toEqual(["from 10 % to 30 % in cluster-a, cluster-b"]);
    expect(done).toEqual(["preview 30", "up at 30: release: 30 %", "config 30"]);
  });

  it("refuses what loses something", async () => {
    preview = () => Promise.resolve(previewStep("replace"));
    await expect(promote({ stack: "prod" })).rejects.toThrow("would delete or replace resources");
    expect(done).toEqual(["preview 30"]);
  });

  it("does nothing after the last phase, or where it may not", async () => {
    vi.mocked(nextWeight).mockResolvedValue({ now: 100, next: undefined });
    await promote({ stack: "prod" });
    vi.mocked(nextWeight).mockRejectedValue(new Error("the clusters differ"));
    await expect(promote({ stack: "prod" })).rejects.toThrow("the clusters differ");
    expect(done).toEqual([]);
  });
});

describe("pause and resume", () => {
  it("are remembered with who and why", async () => {
    vi.stubEnv("GITHUB_ACTOR", "ann");
    await pause({ stack: "prod", reason: "lunch" });
    await resume({ stack: "prod" });
    expect(pauses).toMatchObject([
      { paused: true, by: "ann", reason: "lunch" },
      { paused: false, by: "ann" },
    ]);
    expect(printed).toEqual([
      "paused: no weight is raised until you run: npm run release -- resume --stack prod",
      "resumed",
    ]);
    vi.unstubAllEnvs();
  });

  it("name the clusters that do not remember", async () => {
    forgetful = new Map([["cluster-b", "no answer in time"]]);
    await pause({ stack: "prod" });
    expect(complained).toEqual(["Not recorded in every cluster:\n - cluster-b: no answer in time"]);
    expect(printed).toHaveLength(1);
  });

  it("fail where no cluster remembers, since no rollout would see it", async () => {
    forgetful = new Map([
      ["cluster-a", "forbidden"],
      ["cluster-b", "forbidden"],
    ]);
    await expect(pause({ stack: "prod" })).rejects.toThrow(
      "Not recorded in any cluster:\n - cluster-a: forbidden\n - cluster-b: forbidden",
    );
    expect(printed).toEqual([]);
  });
});

describe("status", () => {
  afterEach(() => {
    process.exitCode = undefined;
  });

  it("prints text, everything as JSON, or a badge", async () => {
    const look = lookOf("good");
    vi.mocked(releaseLook).mockResolvedValue(look);
    await status({ stack: "prod", json: true });
    expect(JSON.parse(printed[0] ?? "")).toEqual({
      ...(JSON.parse(JSON.stringify(look.status)) as object),
      headline: headline(look),
    });
    await status({ stack: "prod" });
    expect(printed[1]).toMatch(/^user\/user-service v2 \(.*\)\nrollout at 30 % since /);
    await status({ stack: "prod", badge: true });
    expect(JSON.parse(printed[2] ?? "")).toMatchObject({
      message: "Rolling out: the canary has 30 %",
    });
  });

  it("goes on while it is watched, though it cannot be read for a while", async () => {
    vi.mocked(releaseLook)
      .mockRejectedValueOnce(new Error("the backend is away"))
      .mockImplementation(() => {
        process.emit("SIGINT");
        return Promise.resolve(lookOf("good"));
      });
    vi.mocked(wait).mockResolvedValue(undefined);
    await status({ stack: "prod", watch: true, badge: true });
    expect(printed[0]).toBe("It cannot be read now, and is tried again: the backend is away");
    expect(JSON.parse(printed[1] ?? "")).toMatchObject({ label: "release prod" });
  });

  it.each([
    ["good", undefined],
    ["bad", 5],
  ] as const)("exits with what a %s release asks for, if that is wanted", async (story, code) => {
    vi.mocked(releaseLook).mockResolvedValue(lookOf(story));
    await status({ stack: "prod" });
    expect(process.exitCode).toBeUndefined();
    await status({ stack: "prod", exitCode: true });
    expect(process.exitCode).toBe(code);
  });
});
