import { describe, expect, it } from "vitest";
import { replicasOf } from "../../lab/replicas.ts";

describe("the replicas that the lab tests begin with", () => {
  const stable = { version: "v1", replicas: 5 };

  it("are those of the first service", () => {
    const services = [{ stable, canary: { version: "v2", replicas: 3 } }, { stable }];
    expect(replicasOf(services, "/lab/Pulumi.lab.yaml")).toEqual({ stable: 5, canary: 3 });
  });

  it.each([
    ["no canary", [{ stable }], "services[0].canary"],
    ["a canary without replicas", [{ stable, canary: {} }], "services[0].canary.replicas"],
    ["no services", undefined, "services"],
  ])("cannot be told of %s: the error says what to do", (_, services, where) => {
    expect(() => replicasOf(services, "/lab/Pulumi.lab.yaml")).toThrow(
      "The lab tests cannot use Pulumi.lab.yaml: its first service needs a stable and a canary version with a number of replicas. " +
        `Missing or wrong: ${where}. Add it, or move the file away: make lab-up writes a new one.`,
    );
  });
});
