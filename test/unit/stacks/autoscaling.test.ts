import { expect, it, vi } from "vitest";
import { handOverCount } from "../../../fleet/hand-over-count.ts";
import { autoscalingOf, minPods } from "../../../stacks/autoscaling.ts";
import { CountHandOver } from "../../../stacks/count-hand-over.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/hand-over-count.ts"), () => ({
  handOverCount: vi.fn<typeof handOverCount>(),
}));

const needed = { key: "user/user-service", stable: "v1", pods: 20, isNoted: true };

it("stable keeps what all requests need, and the canary has its share, while the weight is above 0", () => {
  expect(minPods({ needed }, 30)).toEqual({ stable: 20, canary: 6 });
  expect(minPods({ needed }, 100)).toEqual({ stable: 20, canary: 20 });
  expect(minPods({ needed }, 0)).toEqual({});
  expect(minPods({}, 30)).toEqual({});
  expect(minPods(undefined, 30)).toEqual({});
});

it("an autoscaler is the program's own unless it is external", () => {
  expect(autoscalingOf({ autoscaling: { min: 2, max: 9 } })).toEqual({ min: 2, max: 9 });
  expect(autoscalingOf({ autoscaling: { external: true } })).toBe("external");
  expect(autoscalingOf({})).toBeUndefined();
});

it("a count is handed over before each update of a Deployment that has an autoscaler, and of no other", async () => {
  const counts = new CountHandOver(settings({ weight: 0 }));
  const id = { name: "user-service", namespace: "user" };
  expect(counts.hooks("cluster-a", id, "v1")).toBeUndefined();
  const hooks = counts.hooks("cluster-b", { ...id, autoscaling: { external: true } }, "v1");
  const [before] = hooks?.beforeUpdate ?? [];
  if (typeof before !== "function") throw new Error("there is no hook");
  await before({ urn: "", id: "", name: "", type: "" });
  expect(handOverCount).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ name: "cluster-b" }),
    { name: "user-service-v1", namespace: "user" },
  );
});
