import type { KubernetesObject } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { labSettings } from "../../lab/settings.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import { TeamsService, versionsSince } from "./another-team.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { clusters, failure } from "./release.ts";

const stack = "lab-existing";
const name: ServiceName = { service: "web", namespace: "existing" };
const { service, namespace } = name;
const host = serviceHost(name, "cluster.local");
const PORT = 9080;
const pulumi = labPulumi(stack);

const theirs = new TeamsService({ ...name, port: PORT });

/** A rule of theirs for all services of the namespace, which changes no request. */
const wildcard: KubernetesObject & { spec: object } = {
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "all", namespace },
  spec: { host: `*.${namespace}.svc.cluster.local` },
};

describe("a service that another team has deployed", () => {
  const load: LoadClient[] = [];
  let theirObjects: string[];

  beforeAll(async () => {
    await theirs.install();
    await theirs.deploy("blue", "v1");
    await theirs.deploy("green", "v2");
    for (const cluster of clusters) {
      load.push(await loadInMesh(cluster, `http://${host}:${PORT}/`, 10));
    }
    await makeReleaseStack(labSettings(), stack, {
      services: [
        {
          workload: "existing",
          name: service,
          namespace,
          servicePort: PORT,
          serviceAccounts: ["default"],
          ingressHosts: [],
          stable: { version: "v1" },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    theirObjects = await theirs.identities();
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await theirs.remove();
  });

  it("is refused in the preview with what is missing in which cluster", async () => {
    for (const cluster of clusters) await theirs.apply(cluster, wildcard);
    await pulumi.setConfig("services[0].servicePort", "80");
    const text = await failure(pulumi.preview());
    await pulumi.setConfig("services[0].servicePort", String(PORT));
    for (const cluster of clusters) await cluster.objects.delete(wildcard);
    for (const cluster of clusters) {
      expect(text).toContain(
        `services[0].servicePort: must be a port of Service existing/web in ${cluster.name}, which has ${PORT}`,
      );
      expect(text).toContain(
        `in ${cluster.name} DestinationRule existing/all (by its host *.existing.svc.cluster.local) routes existing/web`,
      );
    }
  });

  it("is adopted without a restart, and its versions stay its owner's concern", async () => {
    await pulumi.up("existing: adoption");
    expect(await theirs.identities()).toEqual(theirObjects);
    const since = Date.now();
    expect(await versionsSince(load, since)).toEqual(clusters.map(() => ["v1", "v2"]));
    // The stable one under another label: no route names it.
    await theirs.deploy("blue", "v1b");
    expectAnswered(load);
  });

  it("sends all requests to the stable version once a canary is configured", async () => {
    await pulumi.setConfig("services[0].stable.version", "v1b");
    await pulumi.setConfig("services[0].canary.version", "v2");
    theirObjects = await theirs.identities();
    await pulumi.up("existing: canary at 0 %");
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: "v2", weight: 0 }, 30_000);
    }
    const since = Date.now() + 1_000;
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1b"]));
  });

  it("rises in every cluster without a failed request or another pod", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("existing: 10 %");
    for (const cluster of clusters) {
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
      const routes = await confirmWeight(
        cluster,
        { hosts: [host], canary: "v2", weight: 10 },
        30_000,
      );
      expect(routes.length, cluster.name).toBeGreaterThan(0);
    }
    const since = Date.now();
    expect(await versionsSince(load, since, 150)).toEqual(clusters.map(() => ["v1b", "v2"]));
    expectAnswered(load);
    expect(await theirs.identities()).toEqual(theirObjects);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("does not rise where its owner runs too few pods of the canary", async () => {
    // Three pods for 30 % of what one takes.
    await pulumi.setConfig("safety.capacity", "10");
    await pulumi.setWeight(30);
    const text = await failure(pulumi.up("existing: 30 % for one pod"));
    await pulumi.setConfig("safety.capacity", undefined);
    for (const cluster of clusters) {
      expect(text).toContain(
        `${cluster.name}: both versions of existing services are there: no, 1 of 3 pods of v2 of existing/web are ready that 30 % of the requests need: stable has 1 for all of them, and safety.capacity is 10.`,
      );
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
    }
  });

  it("keeps its canary while the owner's pods would get requests without it", async () => {
    await pulumi.setWeight(0);
    await pulumi.up("existing: 0 %");
    await pulumi.setConfig("services[0].canary", undefined);
    const text = await failure(pulumi.preview());
    for (const cluster of clusters) {
      expect(text).toContain(
        `services[0].canary: must stay while Service existing/web in ${cluster.name} selects pods of other versions than v1b`,
      );
    }
    await theirs.undeploy("green");
    await pulumi.up("existing: no canary");
    theirObjects = await theirs.identities();
  });

  it("stays with its owner when the stack is destroyed, and answers", async () => {
    await pulumi.destroy();
    const since = Date.now();
    for (const cluster of clusters) expect(await readRoute(cluster, name)).toBeUndefined();
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1b"]));
    expectAnswered(load);
    expect(await theirs.identities()).toEqual(theirObjects);
  });
});
