import { expect, it, vi } from "vitest";
import { handOverCount } from "../../../fleet/hand-over-count.ts";
import { autoscalingOf, minPods } from "../../../stacks/autoscaling.ts";
import { CountHandOver } from "../../../stacks/count-hand-over.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { KEY } from "../../helpers/deployed.ts";
import { settings } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

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

it("stable keeps in each cluster what it had there, before any weight rises", async () => {
  const program = await recordProgram();
  const { services, ...rest } = settings({ weight: 30 });
  const config = {
    ...rest,
    services: services.map((service) => ({ ...service, autoscaling: { min: 3, max: 15 } })),
  };
  const at = (name: string, pods: number) => {
    const route = { stable: "v1", canary: "v2", weight: 10, replicas: { v1: pods, v2: 1 } };
    const read = { generation: 1, replaces: undefined, rules: [], images: {} };
    return { name, unreachable: undefined, routes: new Map([[KEY, { ...route, ...read }]]) };
  };
  const plan = planRelease(config, [at("cluster-a", 12), at("cluster-b", 40)]);
  releaseServices(config, installMesh(config).clusters, plan);
  await program.settle();
  const autoscalers = program.ofType("kubernetes:autoscaling/v2:HorizontalPodAutoscaler");
  expect(
    autoscalers.map(({ name, inputs }) => [
      name,
      (inputs["spec"] as { minReplicas: number }).minReplicas,
    ]),
  ).toEqual(
    expect.arrayContaining([
      ["user-service.user-cluster-a-v1-autoscaler", 12],
      ["user-service.user-cluster-a-v2-autoscaler", 4],
      ["user-service.user-cluster-b-v1-autoscaler", 15],
      ["user-service.user-cluster-b-v2-autoscaler", 12],
    ]),
  );
  const routes = program.ofType("kubernetes:networking.istio.io/v1:VirtualService");
  expect(routes).toHaveLength(2);
  for (const route of routes) {
    for (const autoscaler of autoscalers) expect(program.waitsFor(route, autoscaler)).toBe(true);
  }
});
