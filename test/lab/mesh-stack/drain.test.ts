import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { calls } from "../../../lab/mesh/call.ts";
import { ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { hostInCluster } from "../../../lab/mesh/service.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys } from "../../../lab/stack-file.ts";
import { labUp } from "../../../lab/up.ts";
import { exclusionArgs } from "../../../lib/away.ts";
import { crossClusterName } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { first, meshRelease, second } from "../release.ts";

const { service, pulumi, file, deployed, beginAt, untilWell } = meshRelease;
const load = underLoad(meshRelease, { inMesh: [first], outside: [first] });
const flags = exclusionArgs([second.name]);
const LABEL = "istio/multiCluster";

async function setAway(away: readonly unknown[] | undefined): Promise<void> {
  if (away) await setStackKeys(file, { away });
  else await pulumi.setConfig("away", undefined);
}

/** Whether istiod of the first cluster is told to read the second one. */
async function isRead(): Promise<string | undefined> {
  const { items } = await first.core.listNamespacedSecret({
    namespace: "istio-system",
    labelSelector: LABEL,
  });
  const found = items.find(({ data }) => Object.keys(data ?? {}).includes(second.name));
  return found?.metadata?.labels?.[LABEL];
}

/** Endpoints by which the first cluster knows the host that names the second one. */
async function endpoints(): Promise<readonly unknown[]> {
  const entry = (await first.custom.getNamespacedCustomObject({
    ...{ group: "networking.istio.io", version: "v1", plural: "serviceentries" },
    namespace: service.namespace,
    name: crossClusterName(service.name, second.name),
  })) as { readonly spec: { readonly endpoints?: readonly unknown[] } };
  return entry.spec.endpoints ?? [];
}

/** What a client of the first cluster gets at the host that names the second one. */
async function statusThere(): Promise<number | undefined> {
  const client = await ensureClientPod(first);
  const [answer] = await calls(first, client, `http://${hostInCluster(service, second.name)}/`, 1);
  return answer?.status;
}

describe("a cluster that is drained", { tags: ["campaign"] }, () => {
  beforeAll(async () => {
    await beginAt(0);
    expect(await statusThere()).toBe(200);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    await setAway([{ name: second.name, drain: true }]);
  });
  afterAll(async () => {
    await signal(second.name, "kube-apiserver", "SIGCONT");
    await labUp(labSettings());
    await untilWell();
    await setAway(undefined);
    await pulumi.up("drain test: as before");
    await pulumi.up("drain test: opened");
  });

  it("gets nothing from the others any more, and a host that names it says so at once", async () => {
    await pulumi.up("drain test: drained", ...flags);
    expect(await isRead()).toBe("false");
    expect(await endpoints()).toEqual([]);
    await until(
      "the host that names it to answer 503",
      async () => {
        expect(await statusThere()).toBe(503);
      },
      { timeoutMs: 30_000 },
    );
    load.expectNoFailure();
  });

  it("stays so while the others are released", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("drain test: 10 %", ...flags);
    expect((await deployed([first]))[0]?.weight).toBe(10);
    expect(await isRead()).toBe("false");
  });

  it("is made equal first when it is back, and gets requests only then", async () => {
    await signal(second.name, "kube-apiserver", "SIGCONT");
    await labUp(labSettings());
    await untilWell();
    await setAway(undefined);
    await pulumi.up("drain test: equal");
    expect((await deployed([second]))[0]?.weight).toBe(10);
    expect(await isRead()).toBe("false");
    expect(await endpoints()).toEqual([]);

    await pulumi.up("drain test: open");
    expect(await isRead()).toBe("true");
    expect(await endpoints()).not.toEqual([]);
    await until(
      "the host that names it to answer",
      async () => {
        expect(await statusThere()).toBe(200);
      },
      { timeoutMs: 30_000 },
    );
    expect((await pulumi.preview()).value).toEqual([]);
    load.expectNoFailure();
  });
});
