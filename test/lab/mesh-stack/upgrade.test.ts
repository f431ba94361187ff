// @module-tag campaign
import type { V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { injectedBy } from "../../../fleet/upgrade/injected-by.ts";
import { labStack } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../../lab/stack-file.ts";
import { ISTIO_VERSION, PREVIOUS_ISTIO_VERSION } from "../../../lab/toolchain/versions.ts";
import { labPreviousIstio } from "../../../lab/up.ts";
import { INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { clusters, failure, first, meshRelease, second } from "../release.ts";
import { restartProxies } from "../restart-proxies.ts";

const { pulumi, service } = meshRelease;
const { namespace } = service;

const settings = labSettings();
const file = stackFile(settings, labStack);
const mesh = z.record(z.string(), z.unknown()).parse(await stackKey(file, "mesh"));
const services = z.array(z.looseObject({})).parse(await stackKey(file, "services"));

/** The mesh begins with the minor version before, as `default`; the lab's own comes as a revision beside it. */
const NEXT = ISTIO_VERSION.replaceAll(".", "-");
const VERSIONS: Readonly<Record<string, string>> = {
  default: PREVIOUS_ISTIO_VERSION,
  [NEXT]: ISTIO_VERSION,
};
const next = { name: NEXT, version: ISTIO_VERSION };
const both = [{ name: "default" }, next];
const everywhere = ["upgrade-everywhere"];

/** The mesh as it is before the upgrade. */
let older = mesh;
/** Without a preference, requests that are under way through a gateway's pod when it ends are lost. */
let served: readonly object[] = services.map((each) => ({ ...each, clusterPreference: "spread" }));

/** What the stack says of the mesh's control planes, and of what they inject. */
interface Step {
  readonly istioVersion?: string;
  readonly revisions?: readonly object[];
  readonly tags?: readonly object[];
  readonly dataPlane?: readonly object[];
  readonly allow?: readonly string[];
}

async function write({ dataPlane = [], allow = [], ...ofMesh }: Step): Promise<void> {
  await setStackKeys(file, { mesh: { ...older, ...ofMesh }, services: served, dataPlane, allow });
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

/** Who has injected a pod, and the version that its proxy is of. */
function proxyOf(pod: V1Pod): string {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const proxy = [...containers, ...initContainers].find(({ name }) => name === "istio-proxy");
  return `${injectedBy(pod)} ${proxy?.image?.split(":").at(-1) ?? "without a proxy"}`;
}

/** Waits until the pods of a namespace have proxies of one revision alone; the last ones of before may be ending. */
async function expectRevision(cluster: ClusterClient, of: string, revision: string): Promise<void> {
  await until(
    `pods of ${of} in ${cluster.name} with proxies of ${revision}`,
    async () => {
      const pods = await cluster.runningPods("service.istio.io/canonical-name", of);
      expect([...new Set(pods.map(proxyOf))]).toEqual([`${revision} ${VERSIONS[revision] ?? ""}`]);
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

beforeAll(async () => {
  const directory = await labPreviousIstio(settings);
  older = { ...mesh, istioVersion: PREVIOUS_ISTIO_VERSION, charts: { directory } };
  await step("the older version", { allow: everywhere });
  await restartProxies(clusters);
}, 3_600_000);

afterAll(async () => {
  await pulumi.setWeight(0);
  // From wherever a test has failed: the version of before again, then everything to it, then it alone.
  const { tags } = z
    .looseObject({ tags: z.array(z.looseObject({})).default([]) })
    .parse(await stackKey(file, "mesh"));
  older = mesh;
  await step("back", { revisions: both, tags, allow: everywhere });
  await step("all back", { revisions: both, allow: everywhere });
  await restartProxies(clusters);
  served = services;
  await step("as before", {});
});

// After what is above: its clients come with proxies of the older version, and go before these.
const inside = underLoad(meshRelease, { inMesh: [first, second], outside: [] });
const outside = underLoad(meshRelease, { inMesh: [], outside: [first, second] });
const load = {
  expectNoFailure(): void {
    inside.expectNoFailure();
    outside.expectNoFailure();
  },
};

describe("an upgrade of the mesh from one minor version to the next, under load", () => {
  it("begins with another control plane beside the one that is there, which changes no pod", async () => {
    const before = await first.core.listNamespacedPod({ namespace });
    for (const cluster of clusters) await expectRevision(cluster, namespace, "default");
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
      revisions: [next],
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
    // Between two steps: a release in a mesh of both versions.
    await meshRelease.change(10);
    await meshRelease.expectEverywhere(10);
    await meshRelease.change(0);
    await meshRelease.expectEverywhere(0);
    await step("no tag", { revisions: both });
    await expectRevision(second, namespace, "default");
    load.expectNoFailure();
  });

  it("ends with the newer control plane alone", async () => {
    const tags = [{ name: "default", revision: NEXT }];
    await step("the default tag again", { revisions: both, tags, allow: everywhere });
    load.expectNoFailure();
    // They have proxies of the older one, as all that the program has not made.
    await Promise.all(inside.clients.splice(0).map((client) => client.stop()));
    await restartProxies(clusters);
    await step("without the older one", { istioVersion: ISTIO_VERSION, revisions: [next], tags });
    for (const cluster of clusters) {
      expect(await istiodsOf(cluster)).toEqual([`istiod-${NEXT}`]);
      await expectRevision(cluster, namespace, NEXT);
    }
    outside.expectNoFailure();
    expect((await pulumi.preview()).value).toEqual([]);
  });
});
