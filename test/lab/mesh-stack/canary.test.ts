import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeights, measureShares } from "../../../lab/demo/measure.ts";
import { loadFromOutside, loadInMesh, type LoadClient } from "../../../lab/demo/load.ts";
import {
  differences,
  recordRouting,
  type RoutingRecord,
} from "../../../lab/demo/routing-record.ts";
import { hostInCluster, routingObjects } from "../../../lab/mesh/service.ts";
import { ingressAddress } from "../lab.ts";
import { clusters, first, meshRelease, second } from "../release.ts";

const { pulumi, service } = meshRelease;
let clients: LoadClient[] = [];
let before: RoutingRecord;

beforeAll(async () => {
  clients = [
    await loadInMesh(first, `http://${service.host}/`),
    // The other cluster's client goes through the ServiceEntry host, which has subsets of its own.
    await loadInMesh(second, `http://${hostInCluster(service, first.name)}/`),
    loadFromOutside(second.name, service.ingressHost, await ingressAddress(second.name)),
  ];
  before = await recordRouting(clusters, service);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  await pulumi.setWeight(0);
  await pulumi.up("lab tests end");
});

describe("a release", () => {
  it("has exactly one VirtualService in each cluster", async () => {
    for (const cluster of clusters) {
      const { virtualServices } = await routingObjects(cluster, service);
      expect(Object.keys(virtualServices)).toEqual([service.name]);
    }
  });

  it("changes one VirtualService in each cluster and nothing else, as the preview says", async () => {
    await pulumi.setWeight(10);
    const { value: steps } = await pulumi.preview();
    expect(steps.map(({ op }) => op)).toEqual(clusters.map(() => "update"));
    for (const { urn, changes } of steps) {
      expect(urn).toContain("networking.istio.io/v1:VirtualService");
      const isWeight = (path: string) => /^spec\.http\[\d+\]\.route\[\d+\]\.weight$/.test(path);
      expect(changes.filter(isWeight)).not.toEqual([]);
      // The note which state the change was made from makes Pulumi see what it cannot know itself.
      const others = changes.filter((path) => !isWeight(path));
      expect(others.filter((path) => !path.startsWith("metadata.annotations"))).toEqual([]);
    }
  });

  it.each([{ weight: 10 }, { weight: 30 }, { weight: 100 }])(
    "serves $weight % by the canary in every cluster, whichever way the client comes in",
    async ({ weight }) => {
      await pulumi.setWeight(weight);
      await pulumi.up(`lab test at ${weight} %`);
      const weights = await confirmWeights(clusters, service, weight);
      expect(weights.map(({ apiServer }) => apiServer)).toEqual(clusters.map(() => weight));
      const last = Math.max(...weights.map(({ switchedAt }) => switchedAt.getTime()));
      const shares = await measureShares(clients, new Date(last), weight);
      expect(shares.filter(({ ok }) => !ok)).toEqual([]);
    },
  );

  it("is taken back to routing that is the same in every API server and every Envoy", async () => {
    await pulumi.setWeight(0);
    await pulumi.up("lab test: back to 0 %");
    await confirmWeights(clusters, service, 0);
    expect(differences(before, await recordRouting(clusters, service))).toEqual([]);
  });

  it("has failed no request at any step", () => {
    const failures = clients.flatMap(({ name, answers }) =>
      answers.flatMap(({ failure }) => (failure === undefined ? [] : [`${name}: ${failure}`])),
    );
    expect(failures).toEqual([]);
  });

  it("leaves nothing to do", async () => {
    const { value: steps } = await pulumi.preview();
    expect(steps).toEqual([]);
  });
});
