import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { DRAIN_MARK } from "../../../fleet/drain-marks.ts";
import { call } from "../../../lab/mesh/call.ts";
import { ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { hostInCluster } from "../../../lab/mesh/service.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys } from "../../../lab/stack-file.ts";
import { labUp } from "../../../lab/up.ts";
import { exclusionArgs } from "../../../lib/away.ts";
import {
  crossClusterName,
  REMOTE_SECRET_LABEL,
  remoteSecretName,
  SYSTEM_NAMESPACE,
} from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { failure, first, meshRelease, second } from "../release.ts";

const { service, pulumi, file, deployed, beginAt, untilWell } = meshRelease;
const load = underLoad(meshRelease, { inMesh: [first], outside: [first] });
const flags = exclusionArgs([second.name]);

/** Whether the config says that the second cluster is away and drained. */
let isSet = false;

async function setDrained(): Promise<void> {
  await setStackKeys(file, { away: [{ name: second.name, drain: true }] });
  isSet = true;
}

async function takeBack(): Promise<void> {
  if (isSet) await pulumi.setConfig("away", undefined);
  isSet = false;
}

/** Lets the second cluster's API server answer, and waits until the cluster is well, though the first one does not read it. */
async function thaw(): Promise<void> {
  await signal(second.name, "kube-apiserver", "SIGCONT");
  await labUp(labSettings());
  await untilWell([second.name]);
}

/** Whether istiod of the first cluster is told to read the second one. */
async function isRead(): Promise<string | undefined> {
  const { items } = await first.core.listNamespacedSecret({
    namespace: SYSTEM_NAMESPACE,
    labelSelector: REMOTE_SECRET_LABEL,
  });
  const found = items.find(({ data }) => Object.keys(data ?? {}).includes(second.name));
  return found?.metadata?.labels?.[REMOTE_SECRET_LABEL];
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

/** Whatever has failed: istiod of the first cluster is to read the second one, for the tests to come. */
async function readAgain(): Promise<void> {
  const name = remoteSecretName(second.name);
  const labels = { [REMOTE_SECRET_LABEL]: "true", [DRAIN_MARK]: null };
  await first.objects.patch(
    // The client's type knows no null, by which a merge patch removes.
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: SYSTEM_NAMESPACE, labels },
    } as unknown as KubernetesObject,
    ...([undefined, undefined, "drain-test", undefined, PatchStrategy.MergePatch] as const),
  );
}

/** What a client of the first cluster gets at the host that names the second one: a status, and the cluster that answered. */
async function answerThere() {
  const client = await ensureClientPod(first);
  const { status, cluster } = await call(
    ...([first, client, `http://${hostInCluster(service, second.name)}/`] as const),
  );
  return { status, cluster };
}

async function untilAnswer(expected: Awaited<ReturnType<typeof answerThere>>): Promise<void> {
  await until(
    `the host that names ${second.name} to answer ${expected.status}`,
    async () => {
      expect(await answerThere()).toEqual(expected);
    },
    { timeoutMs: 30_000 },
  );
}

const SERVES = { status: 200, cluster: second.name };
const NOWHERE = { status: 503, cluster: undefined };

/** Clusters that have answered the clients since then. */
function answeredBy(since: number): readonly unknown[] {
  const answers = load.clients.flatMap((client) => client.answers.filter(({ at }) => at > since));
  return [...new Set(answers.map(({ cluster }) => cluster))];
}

describe("a cluster that is drained", { tags: ["campaign"] }, () => {
  let drainedAt = 0;

  beforeAll(async () => {
    await beginAt(0);
    await untilAnswer(SERVES);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    await setDrained();
  });

  afterAll(async () => {
    try {
      await thaw();
      await takeBack();
      await pulumi.setWeight(0);
      await pulumi.up("drain test: as before");
      await pulumi.up("drain test: opened");
    } finally {
      await readAgain();
    }
  });

  it("gets nothing from the others any more, and a host that names it says so at once", async () => {
    await pulumi.up("drain test: drained", ...flags);
    expect(await isRead()).toBe("false");
    expect(await endpoints()).toEqual([]);
    await untilAnswer(NOWHERE);
    drainedAt = Date.now();
  });

  it("stays so while the others are released", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("drain test: 10 %", ...flags);
    expect((await deployed([first]))[0]?.weight).toBe(10);
    expect(await isRead()).toBe("false");
    expect(await answerThere()).toEqual(NOWHERE);
  });

  it("is made equal first when it is back: nothing rises before, and it gets no requests", async () => {
    await thaw();
    expect((await deployed([second]))[0]?.weight).toBe(0);
    await takeBack();
    await pulumi.setWeight(30);
    expect(await failure(pulumi.up("drain test: 30 %"))).toContain(
      "must not rise while the clusters differ",
    );

    await pulumi.setWeight(10);
    expect((await pulumi.up("drain test: equal")).value).toContain(
      `${second.name} was drained: this update makes it equal to the other clusters`,
    );
    expect((await deployed([second]))[0]?.weight).toBe(10);
    expect(await isRead()).toBe("false");
    expect(await endpoints()).toEqual([]);
    expect(await answerThere()).toEqual(NOWHERE);
    expect(answeredBy(drainedAt)).toEqual([first.name]);
  });

  it("gets requests by the next update, and no request to the others has failed", async () => {
    expect((await pulumi.up("drain test: open")).value).toContain(
      `${second.name} is equal to the other clusters: they send it requests again.`,
    );
    expect(await isRead()).toBe("true");
    expect(await endpoints()).not.toEqual([]);
    await untilAnswer(SERVES);
    expect((await pulumi.preview()).value).toEqual([]);
    load.expectNoFailure();
  });
});
