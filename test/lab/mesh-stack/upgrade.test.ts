// @module-tag campaign
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { injectedBy } from "../../../fleet/upgrade/injected-by.ts";
import { labStack } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../../lab/stack-file.ts";
import { INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { clusters, failure, first, meshRelease, second } from "../release.ts";

const { pulumi, service } = meshRelease;
const { namespace } = service;
const load = underLoad(meshRelease, { inMesh: [first, second], outside: [first, second] });

const file = stackFile(labSettings(), labStack);
const mesh = z.record(z.string(), z.unknown()).parse(await stackKey(file, "mesh"));
const services = z.array(z.looseObject({})).parse(await stackKey(file, "services"));
/** Without a preference, requests that are under way through a gateway's pod when it ends are lost. */
const preferring = services.map((each) => ({ ...each, clusterPreference: "spread" }));

/** The lab has one version of Istio: the next revision is the same under another name. */
const NEXT = "next";
const both = [{ name: "default" }, { name: NEXT }];

/** What the stack says of the mesh's control planes, and of what they inject. */
interface Step {
  readonly revisions?: readonly object[];
  readonly tags?: readonly object[];
  readonly dataPlane?: readonly object[];
  readonly allow?: readonly string[];
}

async function write({ dataPlane = [], allow = [], ...ofMesh }: Step): Promise<void> {
  await setStackKeys(file, {
    mesh: { ...mesh, ...ofMesh },
    services: preferring,
    dataPlane,
    allow,
  });
}

/** `pulumi up` with a step of the upgrade, after which nothing is left to do. */
async function step(name: string, keys: Step): Promise<void> {
  await write(keys);
  await pulumi.up(`upgrade test: ${name}`);
}

/** What the preview says against a step. */
async function refusal(keys: Step): Promise<string> {
  await write(keys);
  return failure(pulumi.preview());
}

/** The revisions whose proxies the pods of a namespace have. */
async function revisionsOf(cluster: ClusterClient, of: string): Promise<readonly string[]> {
  const pods = await cluster.podsWithProxy();
  const own = pods.filter(({ metadata }) => metadata?.namespace === of);
  expect(own.length, `${of} of ${cluster.name}`).toBeGreaterThan(0);
  return [...new Set(own.map(injectedBy))].sort();
}

/** Waits until the pods of a namespace have proxies of one revision alone; the last ones of before may be ending. */
async function expectRevision(cluster: ClusterClient, of: string, revision: string): Promise<void> {
  await until(
    `pods of ${of} in ${cluster.name} with proxies of ${revision}`,
    async () => {
      expect(await revisionsOf(cluster, of)).toEqual([revision]);
    },
    { timeoutMs: 60_000, everyMs: 500 },
  );
}

/** Names of a cluster's control planes. */
async function istiodsOf({ apps }: ClusterClient): Promise<readonly (string | undefined)[]> {
  const labelSelector = "app=istiod";
  const { items } = await apps.listNamespacedDeployment({
    namespace: SYSTEM_NAMESPACE,
    labelSelector,
  });
  return items.map(({ metadata }) => metadata?.name);
}

afterAll(async () => {
  await pulumi.setWeight(0);
  const found = (await Promise.all(clusters.map(istiodsOf))).flat();
  // Where a test has failed, pods may still have proxies of the other revision.
  if (found.some((name) => name !== "istiod")) {
    await write({ revisions: both, allow: ["upgrade-everywhere"] });
    await pulumi.up("upgrade test: back");
  }
  await setStackKeys(file, { mesh, services, dataPlane: [], allow: [] });
  await pulumi.up("lab tests end");
});

describe("an upgrade of the mesh, under load", () => {
  it("begins with another control plane beside the one that is there, which changes no pod", async () => {
    const before = await first.core.listNamespacedPod({ namespace });
    await step("a revision beside", { revisions: both });
    for (const cluster of clusters) {
      const istiods = await cluster.runningPods(
        `app=istiod,istio.io/rev=${NEXT}`,
        SYSTEM_NAMESPACE,
      );
      expect(istiods.length, cluster.name).toBeGreaterThan(0);
    }
    const after = await first.core.listNamespacedPod({ namespace });
    const uids = (list: typeof before) => list.items.map(({ metadata }) => metadata?.uid).sort();
    expect(uids(after)).toEqual(uids(before));
    expect((await pulumi.preview()).value).toEqual([]);
    load.expectNoFailure();
  });

  it("refuses to move a namespace in all clusters at once, or while a weight is on its way", async () => {
    const dataPlane = [{ namespace, revision: NEXT }];
    expect(await refusal({ revisions: both, dataPlane })).toContain(
      `dataPlane: must change what injects pods in one cluster at a time, but this update would change in ${first.name} namespace ${namespace} from default to ${NEXT}, in ${second.name} namespace ${namespace} from default to ${NEXT}`,
    );
    await pulumi.setWeight(10);
    const one = [{ namespace, revision: NEXT, clusters: [first.name] }];
    expect(await refusal({ revisions: both, dataPlane: one })).toContain(
      `weight: must be at rest, at 0 or 100, while this update changes namespace ${namespace} from default to ${NEXT} in ${first.name}`,
    );
    await pulumi.setWeight(0);
  });

  it("moves a namespace in one cluster, and back", async () => {
    const dataPlane = [{ namespace, revision: NEXT, clusters: [first.name] }];
    await step("a namespace", { revisions: both, dataPlane });
    await expectRevision(first, namespace, NEXT);
    await expectRevision(second, namespace, "default");
    load.expectNoFailure();

    await step("a namespace back", { revisions: both });
    await expectRevision(first, namespace, "default");
    load.expectNoFailure();
  });

  it("moves all that is labelled for injection by the first default tag, cluster by cluster", async () => {
    const tag = (...names: string[]) => [{ name: "default", revision: NEXT, clusters: names }];
    await step("the default tag", { revisions: both, tags: tag(first.name) });
    for (const of of [namespace, INGRESS_NAMESPACE, SYSTEM_NAMESPACE]) {
      await expectRevision(first, of, NEXT);
      await expectRevision(second, of, "default");
    }
    load.expectNoFailure();
    await step("the default tag everywhere", {
      revisions: both,
      tags: tag(first.name, second.name),
    });
    await expectRevision(second, namespace, NEXT);
    load.expectNoFailure();
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("keeps a control plane that pods still use", async () => {
    // The clients in the mesh have not been restarted.
    const refused = await refusal({
      revisions: [{ name: NEXT }],
      tags: [{ name: "default", revision: NEXT }],
    });
    for (const { name } of clusters) {
      expect(refused).toContain(`mesh.revisions: must keep default in ${name}: `);
    }
  });

  it("goes back from the tag, cluster by cluster", async () => {
    await step("no tag in the first", {
      revisions: both,
      tags: [{ name: "default", revision: NEXT, clusters: [second.name] }],
    });
    await expectRevision(first, INGRESS_NAMESPACE, "default");
    await expectRevision(second, INGRESS_NAMESPACE, NEXT);
    await step("no tag", { revisions: both });
    await expectRevision(second, namespace, "default");
    load.expectNoFailure();
  });

  it("ends without the revision, as it began", async () => {
    await step("no revision", {});
    for (const cluster of clusters) {
      expect(await istiodsOf(cluster)).toEqual(["istiod"]);
    }
    load.expectNoFailure();
  });
});
