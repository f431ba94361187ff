import type { KubernetesObject } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { labSettings } from "../../lab/settings.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import {
  anotherTeam,
  apply,
  identities,
  objectsIn,
  removeNamespace,
  versionsSince,
} from "./another-team.ts";
import { Controller } from "./controller.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { clusters, failure, second } from "./release.ts";
import { wholeRelease } from "./whole-release.ts";

const stack = "lab-beside-controller";
const PORT = 9080;
/** The field manager of Argo CD. */
const MANAGER = "argocd-controller";
const team = anotherTeam("beside", PORT, { manager: MANAGER });
const { service, namespace } = team;
const name: ServiceName = { service, namespace };
const host = serviceHost(name, "cluster.local");
const pulumi = labPulumi(stack);

describe("a service whose manifests a controller applies again and again", () => {
  const load: LoadClient[] = [];
  const controllers: Controller[] = [];
  const run = (round: () => Promise<void>): Controller => {
    const controller = new Controller(round);
    controllers.push(controller);
    return controller;
  };

  const applyAll = async () => {
    for (const cluster of clusters) {
      for (const object of team.manifests(cluster.name)) await apply(cluster, object, MANAGER);
    }
  };

  /** The weight in every API server and Envoy. */
  const expectEverywhere = async (weight: number) => {
    for (const cluster of clusters) {
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(weight);
      await confirmWeight(cluster, { hosts: [host], canary: "v2", weight }, 30_000);
    }
  };

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
          canary: { version: "v2" },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    await pulumi.up("beside a controller: routes");
  });

  afterAll(async () => {
    await Promise.all(controllers.map((controller) => controller.stop()));
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await removeNamespace(namespace);
  });

  it("goes to 10 % and back while it applies them, and neither overrules the other", async () => {
    const before = await identities(namespace);
    const controller = run(applyAll);
    await controller.nextRound();
    await pulumi.setWeight(10);
    await pulumi.up("beside a controller: 10 %");
    await expectEverywhere(10);
    const since = Date.now();
    expect(await versionsSince(load, since, 150)).toEqual(clusters.map(() => ["v1", "v2"]));
    await controller.nextRound();
    await expectEverywhere(10);
    await pulumi.setWeight(0);
    await pulumi.up("beside a controller: 0 %");
    await expectEverywhere(0);
    await controller.stop();
    // No pod was replaced, and no field of theirs is written by the program or Pulumi.
    expect(await identities(namespace)).toEqual(before);
    for (const cluster of clusters) {
      const managers = (await objectsIn(cluster, namespace)).flatMap(({ metadata }) =>
        (metadata?.managedFields ?? []).map(({ manager = "" }) => manager),
      );
      expect(managers, cluster.name).toContain(MANAGER);
      expect(managers.filter((each) => /^(istio-canary|pulumi)/.test(each))).toEqual([]);
    }
    expectAnswered(load);
  });

  it("goes to 100 % and back meanwhile", { tags: ["campaign"] }, async () => {
    const controller = run(applyAll);
    await wholeRelease(pulumi, [{ host, canary: "v2" }], load);
    await controller.stop();
  });

  it("does not rise where a controller writes the routes of one cluster back, which is named", async () => {
    const route = {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: service, namespace },
    };
    const { spec } = await second.objects.read<KubernetesObject & { spec: object }>(route);
    const old = { ...route, ...{ spec } };
    const controller = run(() => apply(second, old, MANAGER));
    await controller.nextRound();
    await pulumi.setWeight(10);
    const text = await failure(pulumi.up("beside a controller: 10 % against it"));
    const over = `field manager ${MANAGER} has written VirtualService beside/web in ${second.name}: v2 has 0 % there, not 10 %`;
    expect(text).toContain(over);
    expect(text).toContain(
      `${second.name}: VirtualService beside/web, by field manager ${MANAGER}`,
    );
    await expectEverywhere(0);
    // Left alone, it rises: nothing else keeps it.
    await controller.stop();
    await pulumi.up("beside a controller: 10 % without it");
    await expectEverywhere(10);
    expectAnswered(load);
  });
});
