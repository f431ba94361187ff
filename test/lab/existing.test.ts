import type { KubernetesObject } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { labSettings } from "../../lab/settings.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import { anotherTeam, apply, identities, removeNamespace, versionsSince } from "./another-team.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { releaseCommand } from "./release-command.ts";
import { clusters, failure } from "./release.ts";

const stack = "lab-existing";
const PORT = 9080;
/** Versions as many owners have them, and as no subset of Istio's may be called. */
const [STABLE, CANARY] = ["1.16.1", "2.0.0_rc.1"];
const team = anotherTeam("existing", PORT, { second: CANARY });
const { service, namespace } = team;
const name: ServiceName = { service, namespace };
const host = serviceHost(name, "cluster.local");
const pulumi = labPulumi(stack);

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
    await team.moveIn();
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
    theirObjects = await identities(namespace);
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await removeNamespace(namespace);
  });

  it("is refused in the preview with what is missing in which cluster", async () => {
    for (const cluster of clusters) await apply(cluster, wildcard);
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
    expect(await identities(namespace)).toEqual(theirObjects);
    const since = Date.now();
    expect(await versionsSince(load, since)).toEqual(clusters.map(() => ["v1", CANARY].sort()));
    // The stable one under another label: no route names it.
    await team.deploy("blue", STABLE);
    expectAnswered(load);
  });

  it("sends all requests to the stable version once a canary is configured", async () => {
    await pulumi.setConfig("services[0].stable.version", STABLE);
    await pulumi.setConfig("services[0].canary.version", CANARY);
    theirObjects = await identities(namespace);
    await pulumi.up("existing: canary at 0 %");
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: CANARY, weight: 0 }, 30_000);
    }
    const since = Date.now() + 1_000;
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => [STABLE]));
  });

  it("rises in every cluster without a failed request or another pod", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("existing: 10 %");
    for (const cluster of clusters) {
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
      const routes = await confirmWeight(
        cluster,
        { hosts: [host], canary: CANARY, weight: 10 },
        30_000,
      );
      expect(routes.length, cluster.name).toBeGreaterThan(0);
    }
    const since = Date.now();
    expect(await versionsSince(load, since, 150)).toEqual(
      clusters.map(() => [STABLE, CANARY].sort()),
    );
    expectAnswered(load);
    expect(await identities(namespace)).toEqual(theirObjects);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it(
    "does not rise where its owner runs too few pods of the canary",
    { tags: ["campaign"] },
    async () => {
      // Three pods for 30 % of what one takes.
      await pulumi.setConfig("safety.capacity", "10");
      await pulumi.setWeight(30);
      const text = await failure(pulumi.up("existing: 30 % for one pod"));
      await pulumi.setConfig("safety.capacity", undefined);
      for (const cluster of clusters) {
        expect(text).toContain(
          `${cluster.name}: both versions of existing services are there: no, 1 of 3 pods of ${CANARY} of existing/web are ready that 30 % of the requests need: stable has 1 for all of them, and safety.capacity is 10.`,
        );
        expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
      }
    },
  );

  it("keeps its canary while the owner's pods would get requests without it", async () => {
    const { exitCode, text: zeroed } = await releaseCommand(
      "zero",
      "--service",
      `${namespace}/${service}`,
    );
    expect(exitCode, zeroed).toBe(0);
    expect(zeroed).toContain(CANARY);
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: CANARY, weight: 0 }, 30_000);
    }
    await pulumi.setWeight(0);
    await pulumi.up("existing: 0 %");
    await pulumi.setConfig("services[0].canary", undefined);
    const text = await failure(pulumi.preview());
    for (const cluster of clusters) {
      expect(text).toContain(
        `services[0].canary: must stay while Service existing/web in ${cluster.name} selects pods of other versions than ${STABLE}`,
      );
    }
    await team.undeploy("green");
    await pulumi.up("existing: no canary");
    theirObjects = await identities(namespace);
  });

  it("stays with its owner when the stack is destroyed, and answers", async () => {
    await pulumi.destroy();
    const since = Date.now();
    for (const cluster of clusters) expect(await readRoute(cluster, name)).toBeUndefined();
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => [STABLE]));
    expectAnswered(load);
    expect(await identities(namespace)).toEqual(theirObjects);
  });
});
