import { describe, expect, it } from "vitest";
import { passthroughSni } from "../../../../../lib/routing/istio/envoy-names.ts";

describe("subsets", () => {
  it("have the server names that an AUTO_PASSTHROUGH gateway knows", () => {
    const name = { service: "user-service", namespace: "user" };
    expect(passthroughSni(name, "cluster.local")).toBe(
      "outbound_.80_._.user-service.user.svc.cluster.local",
    );
    expect(passthroughSni(name, "cluster.local", "v2")).toBe(
      "outbound_.80_.v2_.user-service.user.svc.cluster.local",
    );
  });
});
