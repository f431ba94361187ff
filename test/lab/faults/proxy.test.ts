import type { KubernetesObject } from "@kubernetes/client-node";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { deleteClientPod, ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { confirmWeights, serviceRoutes } from "../../../lab/demo/measure.ts";
import { until } from "../../../lib/until.ts";
import { signalInPod } from "../component.ts";
import { underLoad } from "../load.ts";
import { clusters, failure, first, second, withFaultsRelease } from "../release.ts";

const POD = "laggard";
const release = withFaultsRelease();
const { pulumi, service, deployed, change, beginAt, expectEverywhere, expectRecovered } = release;
const load = underLoad(release, { inMesh: [first, second], outside: [second] });

/** Pins the weight that the laggard's Envoy serves, whatever istiod says. */
function pin(weight: number): KubernetesObject & { spec: unknown } {
  const subset = (version: string) => `outbound|80|${version}|${service.host}`;
  return {
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name: POD, namespace: "client" },
    spec: {
      workloadSelector: { labels: { app: POD } },
      configPatches: [
        {
          applyTo: "HTTP_ROUTE",
          match: {
            context: "SIDECAR_OUTBOUND",
            routeConfiguration: { vhost: { name: `${service.host}:80` } },
          },
          patch: {
            operation: "INSERT_FIRST",
            value: {
              name: "pinned",
              match: { prefix: "/" },
              route: {
                weighted_clusters: {
                  clusters: [
                    { name: subset(service.stable), weight: 100 - weight },
                    { name: subset(service.canary), weight },
                  ],
                },
              },
            },
          },
        },
      ],
    },
  };
}

async function served(weight: number): Promise<void> {
  await until(
    `the laggard to serve ${weight} %`,
    async () => {
      const found = await serviceRoutes([second], service);
      const own = found.find(({ pod }) => pod === `client/${POD}`);
      if (own?.weights[service.canary] !== weight) throw new Error("not yet");
    },
    { timeoutMs: 60_000 },
  );
}

beforeAll(async () => {
  await pulumi.setConfig("safety.confirmWithin", "3s");
  await ensureClientPod(second, POD);
});

afterAll(async () => {
  await pulumi.setConfig("safety.confirmWithin", undefined);
  await deleteClientPod(second, POD);
  await expectRecovered(0);
});

beforeEach(async () => {
  await beginAt(10);
  await expectEverywhere(10);
});

describe("an Envoy that does not follow", () => {
  it("has the rise taken back in all clusters, by its name", async () => {
    await second.objects.create(pin(10));
    try {
      await served(10);
      const text = await failure(change(30));
      expect(text).toContain("The weight was taken back in all clusters:");
      expect(text).toContain(
        ` - ${second.name}: serving the weight: timed out after 3 s waiting for every Envoy of ${second.name} to serve v2 at 30 %: client/${POD} serves 10 %`,
      );
      await expectEverywhere(10);
    } finally {
      await second.objects.delete(pin(10));
    }
    await expectRecovered(30);
  });

  it("is left out by its name where a percentage is enough", { tags: ["campaign"] }, async () => {
    await pulumi.setConfig("safety.confirm", "75%");
    await second.objects.create(pin(10));
    try {
      await served(10);
      const { value } = await change(30);
      expect(value).toMatch(
        new RegExp(
          `Left out in ${second.name}: 1 of \\d+ that have not confirmed, where 75 % are enough \\(client/${POD} serves 10 %\\)`,
        ),
      );
      await confirmWeights([first], service, 30);
    } finally {
      await second.objects.delete(pin(10));
      await pulumi.setConfig("safety.confirm", undefined);
    }
    await expectEverywhere(30);
  });

  it("does not keep the others from falling, and is named", async () => {
    await second.objects.create(pin(10));
    try {
      await served(10);
      const text = await failure(change(0));
      expect(text).toContain(
        `The weight is 0 % now in ${first.name}, ${second.name}, but not every Envoy follows:`,
      );
      expect(text).toContain(`client/${POD} serves 10 %`);
      expect((await deployed()).map(({ weight }) => weight)).toEqual([0, 0]);
      await confirmWeights([first], service, 0);
    } finally {
      await second.objects.delete(pin(10));
    }
    await expectEverywhere(0);
  });
});

describe("an Envoy that does not answer", { tags: ["campaign"] }, () => {
  it("keeps the weight from rising, by its name", async () => {
    await signalInPod(second.name, POD, "envoy", "SIGSTOP");
    try {
      const before = await deployed();
      const text = await failure(change(30));
      expect(text).toContain("The weight has risen in no cluster:");
      expect(text).toMatch(
        new RegExp(` - ${second.name}: every proxy holds the canary's subset: .*client/${POD}`),
      );
      expect(await deployed()).toEqual(before);
    } finally {
      await signalInPod(second.name, POD, "envoy", "SIGCONT");
    }
    await expectRecovered(30);
  });

  it("does not keep the others from falling, and is named", async () => {
    await signalInPod(second.name, POD, "envoy", "SIGSTOP");
    try {
      const text = await failure(change(0));
      expect(text).toContain(`client/${POD} does not answer`);
      expect((await deployed()).map(({ weight }) => weight)).toEqual(clusters.map(() => 0));
      await confirmWeights([first], service, 0);
    } finally {
      await signalInPod(second.name, POD, "envoy", "SIGCONT");
    }
    await expectEverywhere(0);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
