import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Listr } from "listr2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asTasks, duration, type Step, type Work } from "../../toolchain/steps.ts";

let logDir: string;
beforeEach(() => {
  logDir = mkdtempSync(join(tmpdir(), "steps-test-"));
});
afterEach(() => {
  rmSync(logDir, { recursive: true });
});

function step(
  name: string,
  work: (work: Work) => Promise<void>,
  after: readonly Step[] = [],
): Step {
  return { name, after, isDone: () => false, work };
}

function run(steps: readonly Step[]): Promise<unknown> {
  return new Listr(asTasks(steps, logDir), { concurrent: true, renderer: "silent" }).run();
}

describe("steps", () => {
  test("start when those before them are done", async () => {
    const order: string[] = [];
    const note = (text: string) => () => Promise.resolve(void order.push(text));
    const first = step("first", async () => {
      await new Promise(setImmediate);
      order.push("first");
    });
    const second = step("second", note("second"), [first]);
    await run([second, step("other", note("other")), first]);
    expect(order).toEqual(["other", "first", "second"]);
  });

  test("that are done are skipped, and do not wait", async () => {
    const done: Step = {
      name: "done",
      after: [],
      isDone: () => true,
      work: () => Promise.reject(new Error("was done already")),
    };
    await expect(run([done])).resolves.toBeDefined();
  });

  test("fail with their name, the command, the end of its output and its log", async () => {
    const failing = step("go build", ({ run: runCommand }) =>
      runCommand("sh", ["-c", "echo compiling; echo 'no space' >&2; exit 3"]),
    );
    const log = join(logDir, "go-build.log");
    await expect(run([failing])).rejects.toThrow(
      /^go build failed after 0 s: Command failed with exit code 3: sh -c .*\n {2}compiling\n {2}no space\nwhole output: /,
    );
    expect(readFileSync(log, "utf8")).toContain("\ncompiling\nno space\n");
  });

  test("end the commands of the others when one fails", async () => {
    let ended: unknown;
    const endless = step("endless", async (work) => {
      await work.run("tail", ["-f", "/dev/null"]).catch((error: unknown) => {
        ended = error;
        throw error;
      });
    });
    const failing = step("failing", () => Promise.reject(new Error("broken")));
    const dependent = step("dependent", () => Promise.resolve(), [failing]);
    const listr = new Listr(asTasks([endless, failing, dependent], logDir), {
      concurrent: true,
      exitOnError: false,
      collectErrors: true,
      renderer: "silent",
    });
    await listr.run();
    expect(ended).toEqual(new Error('stopped, because "failing" failed'));
    expect(listr.errors?.map(({ error }) => error.message).sort()).toEqual([
      "failing failed after 0 s: broken",
      'stopped, because "failing" failed',
      'stopped, because "failing" failed',
    ]);
  });

  test("name a command that cannot be run", async () => {
    const failing = step("packages", (work) => work.run("no-such-program", ["update"]));
    await expect(run([failing])).rejects.toThrow(/packages failed .*no-such-program update/);
  });
});

test.each([
  [0.4, "0 s"],
  [59.4, "59 s"],
  [59.6, "1 m 00 s"],
  [185, "3 m 05 s"],
])("%f seconds read as %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
