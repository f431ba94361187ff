import { describe, expect, it } from "vitest";
import type { Digest } from "../../../preview/digest.ts";
import { previewStep } from "../../helpers/preview-step.ts";
import { lowerToZero, raiseTo } from "../../../release/update-weight.ts";

/** A stack that notes what is done to it. */
function stack(preview: () => Promise<Digest>, up: () => Promise<void> = () => Promise.resolve()) {
  const done: string[] = [];
  return {
    done,
    name: "prod",
    release: { weight: "10" },
    setWeight: (weight: number) => {
      done.push(`config ${weight}`);
      return Promise.resolve();
    },
    preview,
    up: (message: string) => {
      done.push(`up ${message}`);
      return up();
    },
  };
}
const print = () => undefined;

describe("raiseTo", () => {
  it("sets the config, previews, and updates", async () => {
    const fake = stack(() => Promise.resolve(previewStep("update")));
    await raiseTo(fake, 30, print);
    expect(fake.done).toEqual(["config 30", "up release: 30 %"]);
  });

  it.each(["delete", "replace", "create-replacement"])(
    "refuses a preview with %s, and leaves the config as it was",
    async (op) => {
      const fake = stack(() => Promise.resolve(previewStep(op, "Service")));
      const action = op === "delete" ? "delete" : "replace";
      await expect(raiseTo(fake, 30, print)).rejects.toThrow(
        `The preview of weight 30 would lose something, so nothing was done:\n - ${action} Service user/user-service in cluster-b`,
      );
      expect(fake.done).toEqual(["config 30", "config 10"]);
    },
  );

  it("leaves the config as it was when the update fails, and says why it has", async () => {
    const why = "The weight has risen in no cluster:\n - cluster-b: istiod serves: no, 0 pods";
    const fake = stack(
      () => Promise.resolve(previewStep("update")),
      () => Promise.reject(new Error(why)),
    );
    await expect(raiseTo(fake, 30, print)).rejects.toThrow(why);
    expect(fake.done.at(-1)).toBe("config 10");
  });
});

describe("lowerToZero", () => {
  it("waits for no preview", async () => {
    const fake = stack(() => Promise.reject(new Error("a cluster is down")));
    await lowerToZero(fake, "cluster-b: success rate 95 %", print);
    expect(fake.done).toEqual([
      "config 0",
      "up release: rolled back: cluster-b: success rate 95 %",
    ]);
  });

  it("keeps the config at 0 when a cluster is left, so that the next update lowers it", async () => {
    const fake = stack(
      () => Promise.resolve(previewStep("update")),
      () => Promise.reject(new Error("cluster-b does not answer")),
    );
    await expect(lowerToZero(fake, "bad", print)).rejects.toThrow("cluster-b does not answer");
    expect(fake.done[0]).toBe("config 0");
    expect(fake.done).not.toContain("config 10");
  });
});
