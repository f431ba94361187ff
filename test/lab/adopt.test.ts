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
  identitiesOf,
  removeNamespace,
  versionsSince,
} from "./another-team.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { clusters, failure } from "./release.ts";

const stack = "lab-adopt";
const PORT = 9080;
const team = anotherTeam("adopt", PORT);
const { service, namespace } = team;
const name: ServiceName = { service, namespace };
const host = serviceHost(name, "cluster.local");
const pulumi = labPulumi(stack);

type Rule = Required<Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">> & { spec: object };

/** Rules of theirs: all requests go to v1, without a time limit. */
const rules: readonly Rule[] = [
  {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: service, namespace },
    spec: {
      host: service,
      subsets: ["v1", "v2"].map((version) => ({ name: version, labels: { version } })),
    },
  },
  {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: service, namespace },
    spec: {
      hosts: [service],
      http: [{ route: [{ destination: { host: service, subset: "v1" } }] }],
    },
  },
];

describe("a service whose owner has rules for it", { tags: ["campaign"] }, () => {
  const load: LoadClient[] = [];
  let theirRules: string[];

  beforeAll(async () => {
    await team.moveIn();
    for (const cluster of clusters) for (const rule of rules) await apply(cluster, rule);
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
          adopt: true,
          stable: { version: "v1" },
          canary: { version: "v2" },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    theirRules = await identitiesOf(rules);
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await removeNamespace(namespace);
  });

  it("is refused in the preview while the config does not say what they say", async () => {
    const text = await failure(pulumi.preview());
    for (const cluster of clusters) {
      expect(text).toContain(
        `of VirtualService adopt/web in ${cluster.name} spec.http[0].timeout is none, but the config makes it 10000ms (timeout)`,
      );
    }
  });

  it("is adopted in place, and no request goes another way", async () => {
    await pulumi.setConfig("services[0].timeout", "none");
    const since = Date.now();
    await pulumi.up("adopt: adoption");
    expect(await identitiesOf(rules)).toEqual(theirRules);
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1"]));
    expectAnswered(load);
    for (const cluster of clusters) {
      const route = await readRoute(cluster, name);
      expect(route, cluster.name).toMatchObject({ stable: "v1", weight: 0, existing: true });
    }
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("rises in every cluster without a failed request", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("adopt: 10 %");
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: "v2", weight: 10 }, 30_000);
    }
    const since = Date.now();
    expect(await versionsSince(load, since, 150)).toEqual(clusters.map(() => ["v1", "v2"]));
    expectAnswered(load);
    expect(await identitiesOf(rules)).toEqual(theirRules);
  });
});
