import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";
import { serviceName } from "../../../lab/mesh/service.ts";
import { withWeight } from "../../../lib/routing/istio/split.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { clusters, failure, first, second, withFaultsRelease } from "../release.ts";
import { watchWrites, type WriteHook } from "./write-hook.ts";

const release = withFaultsRelease();
const { service, id, route, deployed, change, beginAt, expectEverywhere, expectRecovered } =
  release;
const load = underLoad(release, { inMesh: [first], outside: [second] });
let hook: WriteHook | undefined;

beforeEach(async () => {
  await beginAt(0);
});

afterEach(async () => {
  await hook?.remove();
  hook = undefined;
});

describe("a weight that somebody lowers while Pulumi writes it", () => {
  it("is 0 in all clusters afterwards, and the update fails", async () => {
    let writes = 0;
    // The first write is the program's own, in all clusters at once; the second one is Pulumi's.
    hook = await watchWrites(second, release, (weight) => {
      if (weight === 10) writes += 1;
      return weight === 10 && writes > 1 ? "hold" : "pass";
    });
    const text = failure(change(10));
    await hook.held;
    for (const cluster of clusters) {
      const { rules } = await route(cluster);
      await writeRoutes(cluster, serviceName(service), withWeight(rules, service.canary, 0));
    }
    await hook.remove();
    expect(await text).toContain(
      `${second.name}: somebody changed ${id} at the very moment at which Pulumi wrote it`,
    );
    expect((await deployed()).map(({ weight }) => weight)).toEqual([0, 0]);
    await expectEverywhere(0);
    await expectRecovered(10);
    await until(
      "more than 100 answers at every client",
      () => {
        const few = load.clients.filter(({ answers }) => answers.length <= 100);
        if (few.length > 0) throw new Error(few.map(({ name }) => name).join(", "));
      },
      { timeoutMs: 60_000 },
    );
    load.expectNoFailure();
  });
});
