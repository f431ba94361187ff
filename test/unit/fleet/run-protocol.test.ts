import { describe, expect, it } from "vitest";
import { runProtocol, TaskFailure, type Actions } from "../../../fleet/run-protocol.ts";
import type { Task } from "../../../lib/protocol.ts";

const clusters = ["a", "b"];

/** Actions that succeed, except those that are given; what was done is recorded. */
function recorded(failing: Partial<Record<`${Task} ${string}`, Error>> = {}) {
  const done: string[] = [];
  const action = (task: Task) => (cluster: string) => {
    done.push(`${task} ${cluster}`);
    const error = failing[`${task} ${cluster}`];
    return error ? Promise.reject(error) : Promise.resolve();
  };
  const actions: Actions = {
    checking: action("checking"),
    writing: action("writing"),
    confirming: action("confirming"),
    restoring: action("restoring"),
  };
  return { done, actions };
}

const refusal = new TaskFailure("refused", "no");
const checked = ["checking a", "checking b"];
const written = [...checked, "writing a", "writing b"];

describe("the protocol", () => {
  it("checks all clusters, then writes to all, then looks whether all serve it", async () => {
    const { done, actions } = recorded();
    const { state, reasons } = await runProtocol(clusters, actions);
    expect(done).toEqual([...written, "confirming a", "confirming b"]);
    expect(state.step).toBe("raised");
    expect(reasons).toEqual([]);
  });

  it("writes to no cluster when a check fails in one, and hears all of them first", async () => {
    const { done, actions } = recorded({ "checking a": refusal, "checking b": refusal });
    const { state, reasons } = await runProtocol(clusters, actions);
    expect(done).toEqual(checked);
    expect(state.step).toBe("refused");
    expect(reasons).toEqual([
      { cluster: "a", task: "checking", reason: "no", mayHeal: false },
      { cluster: "b", task: "checking", reason: "no", mayHeal: false },
    ]);
  });

  it("takes back the one that has changed when the other refuses the write", async () => {
    const { done, actions } = recorded({ "writing b": refusal });
    const { state } = await runProtocol(clusters, actions);
    expect(done).toEqual([...written, "restoring a"]);
    expect(state.step).toBe("restored");
    expect(state.places).toEqual({ a: "old", b: "old" });
  });

  it("takes back a write whose outcome nobody knows too", async () => {
    const { done, actions } = recorded({ "writing b": new Error("no answer in time") });
    const { state } = await runProtocol(clusters, actions);
    expect(done).toEqual([...written, "restoring a", "restoring b"]);
    expect(state.places).toEqual({ a: "old", b: "old" });
  });

  it("names a cluster that cannot be taken back as lost", async () => {
    const gone = new Error("no answer in time");
    const { actions } = recorded({ "writing b": gone, "restoring b": gone });
    const { state, reasons } = await runProtocol(clusters, actions);
    expect(state.places).toEqual({ a: "old", b: "lost" });
    expect(reasons.map(({ task }) => task)).toEqual(["writing", "restoring"]);
  });

  it("takes all back when an Envoy of one cluster does not follow", async () => {
    const { done, actions } = recorded({ "confirming a": new Error("x still serves 10 %") });
    const { state } = await runProtocol(clusters, actions);
    expect(done.slice(-2)).toEqual(["restoring a", "restoring b"]);
    expect(state.step).toBe("restored");
  });
});
