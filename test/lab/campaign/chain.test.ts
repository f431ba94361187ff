import { beforeAll, describe, expect, it } from "vitest";

import { measureChain } from "../../../lab/demo/chain-phase.ts";
import { change, expectChainTakenBack, pulumi, setCanary, withChainStack } from "../chain.ts";
import { clusters } from "../release.ts";

const load = withChainStack([30, 100]);

beforeAll(async () => {
  await pulumi.up("chain campaign: installation");
  await load.start();
});

describe("a chain at 30 %", () => {
  it("serves that share by canaries alone, and all other requests by stable versions alone", async () => {
    const began = new Date();
    await change(30);
    const { problems } = await measureChain(clusters, load.clients, 30, began);
    expect(problems).toEqual([]);
  });

  it("is taken back as a whole when a follower's canary fails 5 % in one cluster", async () => {
    await change(0);
    await setCanary("user-service", "v2-failing");
    await change(0);
    await expectChainTakenBack(load);
  });
});
