import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadInMesh } from "../../../lab/demo/load.ts";
import { hostInCluster } from "../../../lab/mesh/service.ts";
import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import { exclusionArgs } from "../../../lib/away.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { releaseOf } from "../release-command.ts";
import { failure, first, second, withFaultsRelease } from "../release.ts";

const release = withFaultsRelease();
const { stack, service, pulumi, id, deployed, route, beginAt, untilWell } = release;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(release, { inMesh: [first], outside: [first, second] });
const flags = exclusionArgs([second.name]);

/** `pulumi up` without the second cluster. */
async function upWithout(weight: number): Promise<string> {
  await pulumi.setWeight(weight);
  return (await pulumi.up(`lab test: ${weight} % without ${second.name}`, ...flags)).value;
}

/** What Pulumi's state has of the second cluster. */
async function urnsThere(): Promise<readonly string[]> {
  return (await pulumi.urns()).filter((urn) => urn.includes(second.name)).sort();
}

/** Whether the config says that the cluster is away. */
let isSet = false;

async function setAway(name: string | undefined): Promise<void> {
  await pulumi.setConfig(name === undefined ? "away" : "away[0]", name);
  isSet = name !== undefined;
}

const weightHere = async () => (await deployed([first]))[0]?.weight;

/** Versions of the service that have pods in the first cluster. */
async function versionsHere(): Promise<readonly string[]> {
  const { items } = await first.apps.listNamespacedDeployment({ namespace: service.namespace });
  return items.flatMap(({ spec }) => spec?.template.metadata?.labels?.["version"] ?? []).sort();
}

/** A version that takes the place of the stable one, and the canary after it. */
const FIXED = "v1-fixed";
const NEXT = "v3";

describe("a cluster whose API server is away", { tags: ["campaign"] }, () => {
  beforeAll(async () => {
    await beginAt(10);
    load.clients.push(await loadInMesh(first, `http://${hostInCluster(service, second.name)}/`, 5));
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    await setAway(second.name);
  });

  afterAll(async () => {
    await signal(second.name, "kube-apiserver", "SIGCONT");
    await labUp(labSettings());
    if (isSet) await setAway(undefined);
    await pulumi.setConfigs({
      "services[0].stable.version": service.stable,
      "services[0].canary.version": service.canary,
      "allow[0]": "change-stable",
      "allow[1]": "change-canary",
    });
    await pulumi.setWeight(0);
    await pulumi.up("lab test: as before");
    await pulumi.setConfig("allow", undefined);
    await pulumi.up("lab test: without what was kept");
  });

  it("is not touched by an update that does not leave it out: it says how it is to be run", async () => {
    const text = await failure(pulumi.preview());
    expect(text).toContain(`The config says that ${second.name} is away`);
    expect(text).toContain(
      `pulumi up --stack ${stack} --exclude '**:providers:kubernetes::${second.name}' --exclude-dependents`,
    );
  });

  it("keeps its weight while the others rise and fall", async () => {
    const before = await urnsThere();
    expect(await upWithout(30)).toContain(`from 10 % to 30 % in ${first.name}: `);
    expect(await weightHere()).toBe(30);
    expect(await upWithout(0)).toContain(`The weight is 0 % now in ${first.name}: `);
    expect(await weightHere()).toBe(0);
    expect(await urnsThere()).toEqual(before);
  });

  it("is named by the status with the weight that it keeps", async () => {
    const { text } = await releaseOf(stack, "status");
    expect(text).toContain(
      `${second.name} is away and is not asked: its canaries keep 10 % of ${id}`,
    );
  });

  it("lets a rollback pass, which leaves it out by itself", async () => {
    await upWithout(10);
    const { text, exitCode } = await releaseOf(stack, "rollback", "--to", "zero");
    expect(exitCode, text).toBe(0);
    expect(await weightHere()).toBe(0);
  });

  it("lets versions come and go in the others, where its clients find those that they know", async () => {
    await pulumi.setConfig("services[0].canary.version", NEXT);
    await upWithout(0);
    expect(await upWithout(10)).toContain(`from 0 % to 10 % in ${first.name}: `);
    await pulumi.setConfigs({ "services[0].stable.version": FIXED, "allow[0]": "change-stable" });
    await upWithout(10);
    await pulumi.setConfig("allow", undefined);
    expect(await route(first)).toMatchObject({ stable: FIXED, canary: NEXT, weight: 10 });
    expect(await versionsHere()).toEqual(["v1", FIXED, "v2", NEXT]);
    expect((await pulumi.preview(...flags)).value).toEqual([]);
    load.expectNoFailure();
  });

  it("is made equal to the others when it is back, and no request has failed", async () => {
    await signal(second.name, "kube-apiserver", "SIGCONT");
    await labUp(labSettings());
    await untilWell();
    expect((await deployed([second]))[0]?.weight).toBe(10);
    await setAway(undefined);
    await pulumi.up("lab test: back");
    for (const cluster of [first, second]) {
      expect(await route(cluster)).toMatchObject({ stable: FIXED, canary: NEXT, weight: 10 });
    }
    expect(await versionsHere()).toEqual([FIXED, NEXT]);
    // The next update takes away what was kept for its clients.
    await pulumi.up("lab test: equal");
    expect((await pulumi.preview()).value).toEqual([]);
    load.expectNoFailure();
  });
});
