import { describe, expect, it } from "vitest";
import { runSteps, type Step } from "../clusters/steps.ts";

function step(name: string, after: string[], run: Step["run"]): Step {
  return { name, after, run };
}

describe("steps", () => {
  it("run as soon as those before them are done, and no sooner", async () => {
    const order: string[] = [];
    const note = (name: string, after: string[]) =>
      step(name, after, async () => {
        order.push(`${name} begins`);
        await Promise.resolve();
        order.push(`${name} ends`);
      });
    const done: string[] = [];
    await runSteps([note("last", ["a", "b"]), note("a", []), note("b", [])], (name) =>
      done.push(name),
    );
    expect(order.slice(0, 2)).toEqual(["a begins", "b begins"]);
    expect(order.slice(4)).toEqual(["last begins", "last ends"]);
    expect(done).toEqual(["a", "b", "last"]);
  });

  it("stop at the first failure, tell the others, and wait for them to end", async () => {
    let ended = false;
    let started = false;
    const steps = [
      step("fails", [], () => Promise.reject(new Error("no luck"))),
      step("waits", [], async (signal) => {
        await new Promise((resolve) => {
          signal.addEventListener("abort", resolve);
        });
        ended = true;
        throw new Error("gave up");
      }),
      step("after", ["fails"], () => {
        started = true;
        return Promise.resolve();
      }),
    ];
    await expect(runSteps(steps)).rejects.toThrow("no luck");
    expect({ ended, started }).toEqual({ ended: true, started: false });
  });

  it("must come after steps that exist", async () => {
    await expect(runSteps([step("a", ["b"], () => Promise.resolve())])).rejects.toThrow(
      "Step a comes after b, which is no step",
    );
  });
});
