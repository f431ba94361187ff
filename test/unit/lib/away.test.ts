import { describe, expect, it } from "vitest";
import { exclusionArgs, exclusionFlags, exclusionOf } from "../../../lib/away.ts";

/** Whether the engine takes a pattern for a URN: ** is any text, * any without a colon. */
function matches(pattern: string, urn: string): boolean {
  const parts = pattern.split("**").map((part) => part.replace(/[$.]/g, "\\$&"));
  return new RegExp(`^${parts.map((part) => part.replaceAll("*", "[^:]*")).join(".*")}$`).test(urn);
}

const urn = (type: string, name: string) => `urn:pulumi:prod::istio-canary::${type}::${name}`;

describe("what Pulumi leaves out", () => {
  it("is the way to each cluster that is away, and all that depends on it", () => {
    expect(exclusionOf(["cluster-b", "cluster-c"])).toEqual({
      exclude: ["**:providers:kubernetes::cluster-b", "**:providers:kubernetes::cluster-c"],
      excludeDependents: true,
    });
    expect(exclusionArgs(["cluster-b"])).toEqual([
      ...["--exclude", "**:providers:kubernetes::cluster-b", "--exclude-dependents"],
    ]);
    expect(exclusionFlags(["cluster-b", "cluster-c"])).toBe(
      "--exclude '**:providers:kubernetes::cluster-b' --exclude '**:providers:kubernetes::cluster-c' --exclude-dependents",
    );
  });

  it("is nothing while none is away", () => {
    expect(exclusionOf([])).toBeUndefined();
    expect(exclusionArgs([])).toEqual([]);
  });

  it("is no other cluster whose name begins or ends alike, and nothing that is only named after it", () => {
    const [pattern = ""] = exclusionOf(["cluster-b"])?.exclude ?? [];
    expect(matches(pattern, urn("pulumi:providers:kubernetes", "cluster-b"))).toBe(true);
    for (const other of [
      urn("pulumi:providers:kubernetes", "cluster-b2"),
      urn("pulumi:providers:kubernetes", "my-cluster-b"),
      urn("kubernetes:core/v1:Namespace", "user-cluster-b"),
      urn("istio-canary:mesh:CanaryRoute", "cluster-b"),
    ]) {
      expect(matches(pattern, other), other).toBe(false);
    }
  });
});
