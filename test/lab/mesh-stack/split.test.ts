// @module-tag campaign
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { differences, recordRouting } from "../../../lab/demo/routing-record.ts";
import { labStack } from "../../../lab/environment.ts";
import type { PulumiCli } from "../../../lab/pulumi.ts";
import { makeReleaseStack } from "../../../lab/release-stack.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../../lab/stack-file.ts";
import { labPulumi } from "../lab.ts";
import { clusters, meshRelease } from "../release.ts";

const settings = labSettings();
const { pulumi: mesh, service, file } = meshRelease;
const releaseStack = "lab-release";
const release = labPulumi(releaseStack);

type Config = Readonly<Record<string, unknown>>;

describe("a stack that is split in two", () => {
  let config: string;
  /** What the page that describes the way says belongs to the services. */
  let ofServices: RegExp;
  let before: Awaited<ReturnType<typeof record>>;

  /** Everything that a touched cluster would have otherwise: routing, and each Deployment's count of changes. */
  async function record() {
    const deployments = await Promise.all(
      clusters.map(async (cluster) => {
        const { items } = await cluster.apps.listNamespacedDeployment({
          namespace: service.namespace,
        });
        return items.map(({ metadata }) => [
          `${metadata?.name ?? ""} in ${cluster.name}`,
          metadata?.uid,
          metadata?.generation,
        ]);
      }),
    );
    return { routing: await recordRouting(clusters, service), deployments: deployments.flat() };
  }

  async function expectUntouched(): Promise<void> {
    const now = await record();
    expect(differences(before.routing, now.routing)).toEqual([]);
    expect(now.deployments).toEqual(before.deployments);
  }

  async function moveServices(from: PulumiCli, to: string): Promise<number> {
    const urns = (await from.urns()).filter((urn) => ofServices.test(urn));
    if (urns.length > 0) await from.move(urns, to);
    return urns.length;
  }

  beforeAll(async () => {
    const page = await readFile(path.join(settings.root, "docs/stacks.md"), "utf8");
    ofServices = new RegExp(/grep -E '(.+)'/.exec(page)?.[1] ?? "^$");
    config = await readFile(file, "utf8");
    before = await record();
    await makeReleaseStack(settings, releaseStack, { weight: 0 });
  });

  afterAll(async () => {
    await moveServices(release, labStack);
    await writeFile(file, config);
    await mesh.up("two stacks: one again");
    expect((await mesh.preview()).value).toEqual([]);
    await expectUntouched();
    // The providers that went with the services have stayed.
    await release.destroy();
    await release.remove();
  });

  it("goes on in both, and no cluster has noticed", async () => {
    const services = (await stackKey(file, "services")) as readonly Config[];
    await setStackKeys(file, { services: [], weight: 0 });
    const ingressHosts = [service.ingressHost];
    await setStackKeys(stackFile(settings, releaseStack), {
      services: services.map((service) => ({ ...service, ingressHosts })),
    });
    expect(await moveServices(mesh, releaseStack)).toBeGreaterThan(0);
    await mesh.up("two stacks: the mesh");
    expect((await release.preview()).value).toEqual([]);
    await release.up("two stacks: the services");
    expect((await mesh.preview()).value).toEqual([]);
    await expectUntouched();
  });
});
