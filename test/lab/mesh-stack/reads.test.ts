import { afterAll, describe, expect, it } from "vitest";

import { clustersReadBy } from "../../../fleet/checks/remote-clusters.ts";
import { istiodPods } from "../../../fleet/istiod-pods.ts";
import { clusters, failure, first, meshRelease, second } from "../release.ts";

const { pulumi, beginAt, expectEverywhere } = meshRelease;

/** A name that the certificate of the second cluster's API server does not have. */
const KEYS = {
  "clusters[1].apiServer": second.kubeConfig.getCurrentCluster()?.server ?? "",
  "clusters[1].tlsServerName": "nowhere.example.com",
  "mesh.syncWithin": "15s",
};

async function restoreKeys(): Promise<void> {
  for (const key of Object.keys(KEYS)) await pulumi.setConfig(key, undefined);
}

afterAll(async () => {
  await restoreKeys();
  await pulumi.setWeight(0);
  await pulumi.up("lab tests end");
});

describe("an update after which an istiod does not read a cluster", () => {
  it("names both and the reason, raises nothing, lowers at once, and ends well once it is mended", async () => {
    await beginAt(10);
    for (const [key, value] of Object.entries(KEYS)) await pulumi.setConfig(key, value);
    const text = await failure(pulumi.up("reads test: another name"));
    expect(text).toMatch(
      new RegExp(
        `istiod of ${first.name} \\(istiod-.*\\) does not read ${second.name}: it says (syncing|timeout), and logs: .*x509: .*not nowhere\\.example\\.com.* ` +
          `The certificate of its API server does not fit: see clusters\\[\\]\\.apiServer of ${second.name}`,
      ),
    );
    expect(text).not.toContain(`istiod of ${second.name}`);
    await expectEverywhere(10);

    await pulumi.setWeight(0);
    await pulumi.up("reads test: back to 0 %");
    await expectEverywhere(0);

    await pulumi.setConfig("clusters[1].tlsServerName", "kubernetes.default.svc");
    await pulumi.up("reads test: a name that the certificate has");
    for (const cluster of clusters) {
      for (const pod of await istiodPods(cluster)) {
        const names = clusters.map(({ name }) => [name, "synced"]);
        expect(await clustersReadBy(cluster, pod)).toEqual(Object.fromEntries(names));
      }
    }
  });
});
