import { beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { serverImage } from "../../lab/service-config.ts";
import { sameShares } from "../../lib/deployed.ts";
import { until } from "../../lib/until.ts";
import type { Split } from "../../lib/weights.ts";
import { underLoad } from "./load.ts";
import { clusters, first, second, withOwnRelease } from "./release.ts";

const release = withOwnRelease("order", { replicas: 2 });
const { pulumi, service, route } = release;

/** Sets keys of the service's config, removes those without a value, and updates. */
async function change(keys: Readonly<Record<string, string | undefined>>, weight: number) {
  for (const [key, value] of Object.entries(keys)) {
    await pulumi.setConfig(`services[0].${key}`, value);
  }
  await pulumi.setWeight(weight);
  return pulumi.up("promotion test");
}

async function expectSplit(split: Split): Promise<void> {
  for (const cluster of clusters) {
    expect(sameShares(await route(cluster), split), cluster.name).toBe(true);
  }
}

async function versions(cluster: ClusterClient): Promise<string[]> {
  const { items } = await cluster.apps.listNamespacedDeployment({
    namespace: service.namespace,
  });
  return items.flatMap(({ metadata }) => metadata?.labels?.["version"] ?? []).sort();
}

describe("a release that has come to its end", () => {
  const load = underLoad(release, { inMesh: [first], outside: [second], testers: [second] });
  /** The versions before the promotion. */
  const before = {
    "stable.version": "v1",
    "stable.image": serverImage("v1"),
    "canary.version": "v2",
    "canary.image": serverImage("v2"),
  };

  beforeAll(async () => {
    await change({}, 10);
    await change({}, 30);
    await change({}, 100);
  });

  it("is promoted by one update: the canary becomes the stable version, the old one goes", async () => {
    await change(
      {
        "stable.version": "v2",
        "stable.image": serverImage("v2"),
        canary: undefined,
      },
      0,
    );
    await expectSplit({ stable: "v2", weight: 0 });
    for (const cluster of clusters) expect(await versions(cluster)).toEqual(["v2"]);
  });

  it("is followed by the next one", async () => {
    await change(
      {
        "canary.version": "v3",
        "canary.image": serverImage("v1"),
        "canary.replicas": "2",
      },
      10,
    );
    await expectSplit({ stable: "v2", canary: "v3", weight: 10 });
    await until(
      "an answer of the next version at every client",
      () => {
        const missing = load.clients.filter(
          ({ answers }) => !answers.some(({ version }) => version === "v3"),
        );
        if (missing.length > 0) throw new Error(missing.map(({ name }) => name).join(", "));
      },
      { timeoutMs: 30_000 },
    );
    await change({}, 0);
  });

  it("goes back from the promoted version to the canary that serves everything, and then down", async () => {
    await change(before, 100);
    await change({}, 0);
    await expectSplit({ stable: "v1", canary: "v2", weight: 0 });
  });

  it("has failed no request", () => {
    load.expectNoFailure();
  });
});
