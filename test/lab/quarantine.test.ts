import { beforeAll, describe, expect, it } from "vitest";

import { confirmWeights } from "../../lab/demo/measure.ts";
import { failure, first, second, withOwnRelease } from "./release.ts";

const { pulumi, service, change, expectEverywhere } = withOwnRelease("quarantine");

/** Waits until API server and Envoys of each cluster have its weight. */
async function expectWeights(here: number, quarantined: number): Promise<void> {
  const weights = [
    ...(await confirmWeights([first], service, here)),
    ...(await confirmWeights([second], service, quarantined)),
  ];
  expect(weights.map(({ apiServer }) => apiServer)).toEqual([here, quarantined]);
  // A cluster without a single Envoy would prove nothing.
  for (const { envoys } of weights) expect(envoys).toBeGreaterThan(0);
}

async function quarantine(name: string | undefined): Promise<void> {
  await pulumi.setConfig(name === undefined ? "quarantine" : "quarantine[0]", name);
}

describe("a cluster in quarantine", () => {
  beforeAll(async () => {
    await change(10);
  });

  it("falls to 0 at once, and all others keep their weight", async () => {
    await quarantine(second.name);
    const { value } = await pulumi.up("quarantine test: in");
    expect(value).toContain(`The weight is 0 % now in ${second.name}: `);
    await expectWeights(10, 0);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("stays at 0 while the others rise", async () => {
    const { value } = await change(30);
    expect(value).toMatch(
      new RegExp(`from 10 % to 30 % in ${first.name}: \\d+ Envoys serve it, switched within`),
    );
    await expectWeights(30, 0);
  });

  it(
    "keeps the canary from becoming the stable version, in the preview",
    { tags: ["campaign"] },
    async () => {
      await pulumi.setWeight(100);
      await pulumi.up("quarantine test: 100 %");
      await pulumi.setConfig("services[0].stable.version", "v2");
      await pulumi.setConfig("services[0].canary.version", "v3");
      try {
        const text = await failure(pulumi.preview());
        expect(text).toContain("services[0].stable.version: must stay v1 until v2 serves 100 %");
        expect(text).toContain(`Take ${second.name} out of quarantine first`);
      } finally {
        await pulumi.setConfig("services[0].stable.version", "v1");
        await pulumi.setConfig("services[0].canary.version", "v2");
      }
      await change(30);
      await expectWeights(30, 0);
    },
  );

  it("joins the others in one step when it is taken out", async () => {
    await quarantine(undefined);
    const { value } = await pulumi.up("quarantine test: out");
    expect(value).toMatch(new RegExp(`from 0 % to 30 % in ${second.name}: \\d+ Envoys`));
    await expectEverywhere(30);
    expect((await pulumi.preview()).value).toEqual([]);
  });
});
