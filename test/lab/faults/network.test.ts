import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { setClustersApart } from "../../../lab/clusters/lab.ts";
import { labSettings } from "../../../lab/settings.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { failure, first, second, withFaultsRelease } from "../release.ts";

const release = withFaultsRelease();
const { deployed, change, expectEverywhere, expectRecovered } = release;
const load = underLoad(release, { inMesh: [first], outside: [second] });

describe("clusters that do not reach each other", () => {
  let cutAt: number;

  beforeAll(async () => {
    await change(10);
    cutAt = Date.now();
    await setClustersApart(labSettings(), true);
  });

  afterAll(async () => {
    await setClustersApart(labSettings(), false);
    await change(0);
  });

  it("keep the weight from rising, each naming the gateway that it does not reach", async () => {
    const before = await deployed();
    const text = await failure(change(30));
    expect(text).toContain("The weight has risen in no cluster:");
    for (const { name } of [first, second]) {
      expect(text).toMatch(
        new RegExp(
          ` - ${name}: the other clusters' gateways can be reached: no, .* cannot connect to [\\d.]+:15443`,
        ),
      );
    }
    expect(await deployed()).toEqual(before);
  });

  it("fall all the same, at once and together", async () => {
    await change(0);
    await expectEverywhere(0);
  });

  it("rise again once they do", async () => {
    await setClustersApart(labSettings(), false);
    await expectRecovered(10);
    const joined = Date.now();
    await until(
      "an answer from the other cluster at every client",
      () => {
        const alone = load.clients.filter(
          ({ cluster, answers }) =>
            !answers.some((each) => each.at > joined && each.cluster !== cluster),
        );
        if (alone.length > 0) throw new Error(alone.map(({ name }) => name).join(", "));
      },
      { timeoutMs: 60_000 },
    );
    for (const { name, answers } of load.clients) {
      expect(
        answers.filter(({ at, failure }) => failure !== undefined && at < cutAt),
        name,
      ).toEqual([]);
    }
  });
});
