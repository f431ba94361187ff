// @module-tag campaign
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ISTIOD_HTTP_PORT, istiodPods } from "../../../fleet/istiod-pods.ts";
import { get } from "../../../fleet/pod-http.ts";
import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";
import { confirmWeights } from "../../../lab/demo/measure.ts";
import { serviceName } from "../../../lab/mesh/service.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { failure, first, second, withFaultsRelease } from "../release.ts";
import { stopIstiod } from "../stop-istiod.ts";
import { isE2e } from "../target.ts";

const release = withFaultsRelease();
const { service, route, deployed, change, expectRecovered } = release;
const load = underLoad(release, { inMesh: [first, second], outside: [first, second] });

/** Whether the second cluster's istiod, which has been stopped, serves again. */
async function istiodIsBack(): Promise<void> {
  await until(
    `istiod of ${second.name} to serve`,
    async () => {
      const pods = await istiodPods(second);
      for (const pod of pods) await get(second, pod, ISTIOD_HTTP_PORT, "/ready");
      if (pods.length === 0) throw new Error("no pod of it runs");
      // Its webhook must be reached too, through a Service whose endpoints are ready.
      const { rules } = await route(second);
      await writeRoutes(second, serviceName(service), rules);
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
}

describe("an istiod that does not answer", () => {
  let start: () => Promise<void>;

  beforeAll(async () => {
    await change(10);
    start = await stopIstiod(second);
  });

  afterAll(async () => {
    await start();
    await istiodIsBack();
    await expectRecovered(0);
  });

  it("keeps the weight from rising in any cluster, by name", async () => {
    const before = await deployed();
    const text = await failure(change(30));
    if (isE2e) {
      // Of an Istio that others have installed, the preview asks the same already.
      expect(text).toContain(
        `must lead to a cluster whose istiod answers, but that of ${second.name} does not`,
      );
    } else {
      expect(text).toContain("The weight has risen in no cluster:");
      expect(text).toContain(` - ${second.name}: istiod serves: no, `);
    }
    expect(await deployed()).toEqual(before);
  });

  it("lets the other clusters fall, and names the one whose routes nobody validates", async () => {
    const text = await failure(change(0));
    expect(text).toContain(`The weight is 0 % now in ${first.name}.`);
    expect(text).toMatch(new RegExp(` - ${second.name}: .*failed calling webhook`));
    expect((await deployed([first]))[0]?.weight).toBe(0);
    await confirmWeights([first], service, 0);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
