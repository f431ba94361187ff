import { execa, type ExecaError } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeights } from "../../../lab/demo/measure.ts";
import { labEnvironment } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import {
  EAST_WEST_GATEWAY,
  INGRESS_GATEWAY,
  INGRESS_NAMESPACE,
  SYSTEM_NAMESPACE,
} from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { runningCluster } from "../component.ts";
import { expectAnswered, underLoad } from "../load.ts";
import { clusters, failure, first, second, withOwnRelease } from "../release.ts";

const settings = labSettings();
const release = withOwnRelease("nodes", { replicas: 4 });
const { service, deployed, change, beginAt, expectEverywhere, expectRecovered } = release;
const [kept = "", drained = ""] =
  settings.clusters.find(({ name }) => name === second.name)?.nodes.map(({ name }) => name) ?? [];

/** kubectl on the second cluster. */
async function kubectl(...args: readonly string[]): Promise<string> {
  const { stdout } = await execa("kubectl", ["--context", second.name, ...args], {
    env: labEnvironment(settings),
    stdin: "ignore",
  });
  return stdout;
}

/** Names of the pods that are on a node and do not go. */
async function podsOn(node: string): Promise<string[]> {
  const { items } = await second.core.listPodForAllNamespaces({
    fieldSelector: `spec.nodeName=${node}`,
  });
  return items
    .filter(({ metadata }) => !metadata?.deletionTimestamp)
    .map(({ metadata }) => `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`);
}

/** What an operator does before work on a node. */
async function drain(): Promise<void> {
  await kubectl(
    "drain",
    drained,
    "--ignore-daemonsets",
    "--delete-emptydir-data",
    "--timeout=300s",
  );
}

/** Waits until every Deployment of the second cluster has all of its pods. */
async function untilAvailable(): Promise<void> {
  await kubectl(
    ...["wait", "--for=condition=Available", "--timeout=180s"],
    ...["deployment", "--all", "--all-namespaces"],
  );
  await until(
    "all pods to be available",
    async () => {
      const { items } = await second.apps.listDeploymentForAllNamespaces();
      const short = items.filter(
        ({ spec, status }) => (status?.availableReplicas ?? 0) < (spec?.replicas ?? 1),
      );
      if (short.length > 0) throw new Error(short.map(({ metadata }) => metadata?.name).join(", "));
    },
    { timeoutMs: 180_000, everyMs: 500 },
  );
}

/** Moves two pods of each version and one of each gateway to the second node, and nothing else. */
async function moveSome(): Promise<void> {
  await drain();
  await kubectl("uncordon", drained);
  await kubectl("cordon", kept);
  const some: readonly (readonly [namespace: string, selector: string, count: number])[] = [
    ...[service.stable, service.canary].map(
      (version) => [service.namespace, `app=${service.name},version=${version}`, 2] as const,
    ),
    [SYSTEM_NAMESPACE, `app=${EAST_WEST_GATEWAY}`, 1],
    [INGRESS_NAMESPACE, `app=${INGRESS_GATEWAY}`, 1],
  ];
  for (const [namespace, selector, count] of some) {
    const pods = await second.runningPods(selector, namespace);
    for (const pod of pods.slice(0, count)) {
      await kubectl("delete", "pod", "--namespace", namespace, pod.metadata?.name ?? "");
    }
  }
  await untilAvailable();
  await kubectl("uncordon", kept);
}

// The clients that tell how requests fare must not go with the node that they tell of.
beforeAll(async () => {
  await kubectl("cordon", drained);
});
const load = underLoad(release, { inMesh: [first, second], outside: [first, second] });

beforeAll(async () => {
  await kubectl("uncordon", drained);
});

afterAll(async () => {
  await labUp(settings);
  await kubectl("uncordon", kept, drained);
  await untilAvailable();
});

describe("a node that is drained while the weight rises", () => {
  it("has the weight rise in all clusters, or in none", async () => {
    await moveSome();
    await beginAt(0);
    const [raised, left] = await Promise.allSettled([change(10), drain()]);
    expect(left).toMatchObject({ status: "fulfilled" });
    if (raised.status === "rejected") {
      // Its message holds what the command has printed.
      expect((raised.reason as ExecaError).message).toMatch(
        /The weight (has risen in no cluster|was taken back in all clusters):/,
      );
    }
    const weight = raised.status === "fulfilled" ? 10 : 0;
    expect((await deployed()).map((each) => each.weight)).toEqual(clusters.map(() => weight));
    await expectEverywhere(weight);
    expect(await podsOn(drained)).toEqual([]);
    await expectRecovered(10);
  });

  it("leaves every client answered", () => {
    load.expectNoFailure();
  });
});

describe("a node that is lost", () => {
  let lost: string[];

  beforeAll(async () => {
    await beginAt(10);
    await moveSome();
    lost = await podsOn(drained);
    const { nodes } = await runningCluster(second.name);
    await nodes.find(({ own }) => own.name === drained)?.cgroup.kill();
  });

  it("does not keep the weight from falling at once, and its pods are named", async () => {
    const update = change(0);
    // Earlier than the command ends, which waits for every Envoy.
    const ended = update.then(
      () => true,
      () => true,
    );
    const fallen = until(
      "0 % in every API server",
      async () => {
        const weights = (await deployed()).map(({ weight }) => weight);
        if (weights.some((weight) => weight !== 0)) throw new Error(weights.join(", "));
        return false;
      },
      { timeoutMs: 60_000 },
    );
    expect(await Promise.race([ended, fallen])).toBe(false);
    const text = await failure(update);
    expect(text).toContain(
      `The weight is 0 % now in ${first.name}, ${second.name}, but not every Envoy follows:`,
    );
    expect(lost.filter((pod) => text.includes(`${pod} does not answer`))).not.toEqual([]);
    await confirmWeights([first], service, 0);
  });

  it("keeps the weight from rising in any cluster", async () => {
    const before = await deployed();
    const text = await failure(change(10));
    expect(text).toContain("The weight has risen in no cluster:");
    expect(await deployed()).toEqual(before);
  });

  it("lets it rise once the node is deleted, and every client is answered again", async () => {
    await kubectl("delete", "node", drained);
    await untilAvailable();
    await expectRecovered(10);
    const since = Date.now();
    await until(
      "more than 100 answers for each client",
      () => {
        const short = load.clients.filter(
          ({ answers }) => answers.filter(({ at }) => at >= since).length <= 100,
        );
        if (short.length > 0) throw new Error(short.map(({ name }) => name).join(", "));
      },
      { timeoutMs: 60_000, everyMs: 250 },
    );
    expectAnswered(load.clients, since);
  });
});
