import type { DiagnosticEvent } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, it } from "vitest";
import { UpdateFailure } from "../../../release/update-failure.ts";
import { SAID_ELSEWHERE } from "../../../stacks/said-elsewhere.ts";

const route = (cluster: string) =>
  `urn:pulumi:prod::istio-canary::kubernetes:networking.istio.io/v1:VirtualService::user-route-${cluster}`;
const hook = (cluster: string, text: string) =>
  `before hook "user-route-${cluster}_beforeUpdate_0" failed: ${text}`;

function error(message: string, urn?: string): DiagnosticEvent {
  // The engine ends every message by a line's end.
  return {
    ...(urn !== undefined && { urn }),
    message: `${message}\n`,
    color: "never",
    severity: "error",
  };
}

describe("why an update has failed", () => {
  it("is the whole error of the hook that says it, without those that wait for it and Pulumi's own", () => {
    const told = "The weight has risen in no cluster:\n - cluster-b: istiod serves: no, 0 pods";
    const { message } = new UpdateFailure(
      [
        error(hook("cluster-a", SAID_ELSEWHERE), route("cluster-a")),
        { message: "Running program\n", severity: "info" },
        error(hook("cluster-b", told), route("cluster-b")),
        error("update failed"),
      ],
      new Error("code: 255"),
    );
    expect(message).toBe(told);
  });

  it("is every error of several resources, each once", () => {
    const { message } = new UpdateFailure(
      [
        error("pods are not ready", "urn:a"),
        error("pods are not ready", "urn:b"),
        error("forbidden", "urn:c"),
        error("update failed"),
      ],
      undefined,
    );
    expect(message).toBe("pods are not ready\nforbidden");
  });

  it("is what the program says that has stopped itself", () => {
    const told = "Not every cluster can be updated:\n - cluster-b: no answer in time";
    expect(new UpdateFailure([error(told)], undefined).message).toBe(told);
  });

  it("is the end of the output where the engine has reported no error", () => {
    const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`);
    const cause = new Error(lines.join("\n"));
    const failure = new UpdateFailure([], cause);
    expect(failure.message).toBe(lines.slice(-12).join("\n"));
    expect(failure.cause).toBe(cause);
  });
});
