// @module-tag campaign
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { EAST_WEST_GATEWAY, SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { signalInPod } from "../component.ts";
import { disturb } from "../cut.ts";
import { withFailoverRelease } from "../failover.ts";
import { first, second } from "../release.ts";
import { failures, hasFailed, type Sent } from "../requests.ts";

const { change, sendWhile, untilSpread, pulumi } = withFailoverRelease("spread");

/**
 * Few requests fail, one for each connection that was open, and none that begins later than 5 s after the fault. A
 * request is not made again once it was written, whatever its method.
 */
function expectFew({ sent, at }: { readonly sent: readonly Sent[]; readonly at: number }): void {
  for (const method of ["GET", "POST"] as const) {
    const { all, failed, percent } = failures(sent, method);
    console.log(
      `${method}: ${failed.length} of ${all} failed, ${percent.toFixed(2)} %: ${failed.map((each) => `${each.at - at} ms: ${each.result} after ${each.took} ms`).join(", ")}`,
    );
  }
  expect(sent.filter((each) => hasFailed(each) && each.at > at + 5000)).toEqual([]);
  for (const method of ["GET", "POST"] as const) {
    expect(failures(sent, method).percent, method).toBeLessThanOrEqual(2);
  }
}

async function killGateways(): Promise<void> {
  const { items } = await second.core.listNamespacedPod({
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `app=${EAST_WEST_GATEWAY}`,
  });
  for (const { metadata } of items) {
    await second.core.deleteNamespacedPod({
      name: metadata?.name ?? "",
      namespace: SYSTEM_NAMESPACE,
      gracePeriodSeconds: 0,
    });
  }
}

/** As a node's drain or an upgrade does; ends when none of the old ones is left. */
async function replaceGateways(): Promise<void> {
  const at = { name: EAST_WEST_GATEWAY, namespace: SYSTEM_NAMESPACE };
  const selected = { namespace: SYSTEM_NAMESPACE, labelSelector: `app=${EAST_WEST_GATEWAY}` };
  const uids = async () =>
    (await second.core.listNamespacedPod(selected)).items.map(({ metadata }) => metadata?.uid);
  const before = await uids();
  const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
  await second.apps.patchNamespacedDeployment(
    { ...at, body: { spec: { template: { metadata: { annotations } } } } },
    setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
  );
  await until(
    "the old gateways to be gone",
    async () => {
      const left = (await uids()).filter((uid) => before.includes(uid));
      if (left.length > 0) throw new Error(`${left.length} are left`);
    },
    { timeoutMs: 180_000, everyMs: 500 },
  );
}

beforeAll(async () => {
  await change(10);
});

describe("a service whose requests go to all clusters alike", () => {
  // What the fault before has left out comes back.
  beforeEach(untilSpread);

  it("gets answers of both", async () => {
    const { sent } = await sendWhile(5, () => Promise.resolve());
    expect([...new Set(sent.map(({ cluster }) => cluster))].sort()).toEqual([
      first.name,
      second.name,
    ]);
    expect(sent.filter(hasFailed)).toEqual([]);
  });

  it("loses few requests to a cluster whose packets are lost", async () => {
    expectFew(await sendWhile(60, () => disturb(second.name, { kind: "drop" })));
  });

  it("loses few to one whose connections are reset", async () => {
    expectFew(await sendWhile(20, () => disturb(second.name, { kind: "reset" })));
  });

  it("loses none where a tenth of the packets are lost", async () => {
    const { sent } = await sendWhile(20, () => disturb(second.name, { kind: "loss", share: 0.1 }));
    expect(sent.filter(hasFailed)).toEqual([]);
  });

  it("loses few to one whose gateways are killed", async () => {
    expectFew(await sendWhile(25, killGateways));
  });

  it("loses none while the other's gateways are replaced, one after the other", async () => {
    // Each takes as long as many do, so that some are under way whenever a gateway ends.
    const { sent, at } = await sendWhile(5, replaceGateways, "/?delay=500ms");
    expect(sent.filter(hasFailed)).toEqual([]);
    const late = sent.filter((each) => each.at > at);
    expect(new Set(late.map(({ cluster }) => cluster))).toEqual(new Set([first.name, second.name]));
  });

  it.each([first, second])("loses none without istiod in $name", async ({ name }) => {
    const { sent } = await sendWhile(15, () =>
      signalInPod(name, "istiod-", "pilot-discovery", "SIGSTOP"),
    ).finally(() => signalInPod(name, "istiod-", "pilot-discovery", "SIGCONT"));
    expect(sent.filter(hasFailed)).toEqual([]);
  });

  it("loses no read where those may run twice", async () => {
    const on = "connect-failure,refused-stream,reset-before-request,reset";
    await pulumi.setConfigs({
      "services[0].retries.perTryTimeout": "1s",
      "services[0].retries.on": on,
    });
    onTestFinished(() => pulumi.setConfig("services[0].retries", undefined));
    await pulumi.up("failover: reads may run twice");
    const { sent } = await sendWhile(20, () => disturb(second.name, { kind: "drop" }));
    expect(failures(sent, "GET").failed).toEqual([]);
  });

  it("loses none when its own cluster comes first", async () => {
    await pulumi.setConfig("services[0].clusterPreference", "own-first");
    await pulumi.up("failover: own cluster first");
    for (const [seconds, fault] of [
      [60, () => disturb(second.name, { kind: "drop" })],
      [15, () => disturb(second.name, { kind: "reset" })],
      [15, () => disturb(second.name, { kind: "loss", share: 0.3 })],
      [20, killGateways],
    ] as const) {
      const { sent } = await sendWhile(seconds, fault);
      expect(sent.filter(hasFailed)).toEqual([]);
      expect([...new Set(sent.map(({ cluster }) => cluster))]).toEqual([first.name]);
    }
  });
});
