import { describe, expect, it } from "vitest";

import { until } from "../../lib/until.ts";
import { underLoad } from "./load.ts";
import { quickRollout } from "./quick-rollout.ts";
import { releaseOf, RunningRollout } from "./release-command.ts";
import { clusters, first, second, withOwnRelease } from "./release.ts";

const own = withOwnRelease("steering", { config: { rollout: quickRollout } });
const { stack, pulumi, service, deployed, change, expectEverywhere } = own;
const load = underLoad(own, { inMesh: [first], outside: [first, second] });

const release = (verb: string, ...options: readonly string[]) => releaseOf(stack, verb, ...options);
const weights = async () => (await deployed()).map(({ weight }) => weight);

describe("a rollout", () => {
  it("is planned without a change of anything", async () => {
    const { stdout, exitCode } = await release("plan", "--format", "json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ weight: 0, next: 10 });
    expect(await pulumi.weight()).toBe(0);
    expect(await weights()).toEqual([0, 0]);
  });

  it("may begin by hand, and is held from another terminal, through a crash of the command", async () => {
    expect((await release("promote")).exitCode).toBe(0);
    await expectEverywhere(10);
    expect((await release("pause", "--reason", "lunch")).exitCode).toBe(0);

    const one = new RunningRollout(stack);
    const held = await one.seen("look", ({ reason }) => reason.startsWith("paused: "));
    expect(held.reason).toMatch(/^paused: paused by \S+ at \S+: lunch$/);
    one.kill("SIGKILL");
    await one.ended();
    const status = JSON.parse((await release("status", "--json")).stdout) as unknown;
    expect(status).toMatchObject({ paused: expect.stringContaining("lunch") as unknown });

    const two = new RunningRollout(stack);
    await two.seen("look", ({ reason }) => reason.startsWith("paused: "));
    expect(await weights()).toEqual([10, 10]);
    expect((await release("resume")).exitCode).toBe(0);
    await two.seen("raised", ({ weight }) => weight === 30);
    await expectEverywhere(30);
    await until(
      "the Kubernetes Event of the raise in every cluster",
      async () => {
        for (const { core } of clusters) {
          const { items } = await core.listNamespacedEvent({
            namespace: service.namespace,
            fieldSelector: `involvedObject.name=${service.name},reason=WeightRaised`,
          });
          expect(items.map(({ message }) => message)).toEqual(["30 % in every cluster"]);
        }
      },
      { timeoutMs: 30_000 },
    );

    two.kill("SIGINT");
    expect((await two.ended()).exitCode).toBe(130);
    expect(two.of("interrupted")).toMatchObject([{ weight: 30 }]);
    expect(await weights()).toEqual([30, 30]);
  });

  it(
    "leaves all clusters at one weight when it is killed as it raises, and goes on from there",
    { tags: ["campaign"] },
    async () => {
      await change(0);
      const rollout = new RunningRollout(stack, "--again");
      await rollout.seen("raise");
      rollout.kill("SIGKILL");
      await rollout.ended();
      const next = new RunningRollout(stack);
      await next.seen("raised", ({ weight }) => weight === 30);
      await expectEverywhere(30);
      next.kill("SIGINT");
      await next.ended();
      load.expectNoFailure();
    },
  );
});
