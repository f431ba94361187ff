import { PatchStrategy, type KubernetesObject, type V1Deployment } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";

import { chainStack } from "../../../lab/chain-stack.ts";
import { parseHop } from "../../../lab/demo/answers.ts";
import { confirmChain } from "../../../lab/demo/chain-phase.ts";
import { wayText } from "../../../lab/demo/chain-ways.ts";
import { call } from "../../../lab/mesh/call.ts";
import { chain, chainHost, followers } from "../../../lab/mesh/chain.ts";
import { deleteClientPod, ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../../lab/stack-file.ts";
import { until } from "../../../lib/until.ts";
import { at, change, expectChainTakenBack, pulumi, setCanary, withChainStack } from "../chain.ts";
import { clusters, failure, second } from "../release.ts";

/** The only phase before 100 %: with this weight few requests show both versions. */
const WEIGHT = 50;

const load = withChainStack([WEIGHT, 100]);
const file = stackFile(labSettings(), chainStack);

async function scaleCanary(service: string, replicas: number): Promise<void> {
  const deployment = { name: `${service}-${chain.canary}`, namespace: chain.namespace };
  const body: V1Deployment & KubernetesObject = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: deployment,
    spec: { replicas } as V1Deployment["spec"] & object,
  };
  const patch = PatchStrategy.MergePatch;
  await second.objects.patch(body, undefined, undefined, undefined, undefined, patch);
  await until(
    `${replicas} pods of ${deployment.name} in ${second.name}`,
    async () => {
      const { status } = await second.apps.readNamespacedDeployment(deployment);
      if ((status?.availableReplicas ?? 0) !== replicas) throw new Error("not yet");
    },
    { timeoutMs: 60_000 },
  );
}

/** Expects a higher weight to be refused before any has risen; gives the reason. */
async function expectRefused(weight: number): Promise<string> {
  const text = await failure(change(weight));
  expect(text).toContain("The weight has risen in no cluster");
  await confirmChain(clusters, 0);
  return text;
}

beforeAll(async () => {
  await pulumi.setConfig(`${at("user-service")}.canary`, undefined);
  await pulumi.up("chain faults: installation");
});

describe("a follower without a canary", () => {
  it("serves marked requests by its stable version, in every cluster", async () => {
    await change(WEIGHT);
    for (const cluster of clusters) {
      const client = await ensureClientPod(cluster);
      const headers = { [chain.header]: chain.tester };
      const { status, body } = await call(cluster, client, `http://${chain.host}/`, headers);
      const hops = body.split("\n").flatMap((line) => parseHop(line) ?? []);
      expect({ status, way: wayText(hops) }, cluster.name).toEqual({
        status: 200,
        way: "front v2 marked canary → order-service v2 marked canary → user-service v1 marked canary",
      });
    }
  });

  it("gets none in mid-release", async () => {
    await setCanary("user-service", "v2");
    const text = await failure(pulumi.preview());
    expect(text).toContain(`${at("user-service")}.canary.version: must not be added`);
    await confirmChain(clusters, WEIGHT);
  });
});

describe("a service that loses the mark", () => {
  it("is named before any weight rises", async () => {
    await pulumi.setConfig(`${at("user-service")}.canary`, undefined);
    await change(0);
    await setCanary("order-service", "v2-dropping");
    await setCanary("user-service", "v2");
    await change(0);
    const text = await expectRefused(WEIGHT);
    expect(text).toMatch(
      /cluster-[ab]: every service propagates the chain's mark: no, v2 of chain\/order-service loses it: while \d+ marked requests went through the chain, \d+ of its requests to chain\/user-service went to v2 /,
    );
    expect(text).not.toContain("v2 of chain/front loses it");
  });
});

describe("a follower whose canary is not available in one cluster", { tags: ["campaign"] }, () => {
  it("keeps the weight from rising in any, and is named", async () => {
    await setCanary("order-service", "v2");
    await change(0);
    await scaleCanary("user-service", 0);
    try {
      const text = await expectRefused(WEIGHT);
      expect(text).toContain(
        `${second.name}: the canary's pods are available: no, 0 of 1 pods of Deployment ${chain.namespace}/user-service-${chain.canary} are available`,
      );
    } finally {
      await scaleCanary("user-service", 1);
    }
  });
});

describe("an Envoy that does not follow the mark", { tags: ["campaign"] }, () => {
  const name = "laggard";

  /** Another time limit of all routes to a follower than its VirtualService has, whatever istiod says. */
  const filter = {
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name, namespace: "client" },
    spec: {
      workloadSelector: { labels: { app: name } },
      configPatches: [
        {
          applyTo: "HTTP_ROUTE",
          match: {
            context: "SIDECAR_OUTBOUND",
            routeConfiguration: { vhost: { name: `${chainHost("order-service")}:80` } },
          },
          patch: { operation: "MERGE", value: { route: { timeout: "3s" } } },
        },
      ],
    },
  };

  it("keeps the weight from rising in any cluster, by its name", async () => {
    await pulumi.setConfig("safety.confirmWithin", "10s");
    await ensureClientPod(second, name);
    await second.objects.create(filter);
    try {
      expect(await expectRefused(WEIGHT)).toMatch(
        /waiting for every Envoy of cluster-b to have the rules of .*: client\/laggard still has the old routes of chain\/order-service/,
      );
    } finally {
      await second.objects.delete(filter);
      await deleteClientPod(second, name);
      await pulumi.setConfig("safety.confirmWithin", "30s");
    }
  });
});

describe("release rollout of a chain", { tags: ["campaign"] }, () => {
  it("takes the whole chain back when a follower's canary fails in one cluster", async () => {
    await setCanary("user-service", "v2-broken");
    // A probe may well be among the requests that fail; this is about what clients are served.
    const probe = {
      path: "/healthz",
      without: followers.map((name) => `${chain.namespace}/${name}`),
    };
    await setStackKeys(file, { chain: { ...((await stackKey(file, "chain")) as object), probe } });
    await change(0);
    await load.start();
    await expectChainTakenBack(load);
  });
});
