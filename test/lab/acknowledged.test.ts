import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionsOf, stateOf } from "../../fleet/connections.ts";
import { isSidecar, proxyId } from "../../fleet/proxy-pod.ts";
import { deleteClientPod, ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { until } from "../../lib/until.ts";
import { signalInPod } from "./component.ts";
import { clusters, failure, first, second, withOwnRelease } from "./release.ts";
import { shapesOf } from "./shapes.ts";

const POD = "beyond";
// No sidecar is asked itself: the two clusters stand for larger ones.
const release = withOwnRelease("acknowledged", {
  replicas: 2,
  config: { safety: { checkWithin: "10s", confirmWithin: "8s", askEnvoys: 0 } },
});
const { pulumi, service, change, deployed, beginAt, expectEverywhere, expectRecovered } = release;

/** How many sidecars a cluster has that serve. */
async function sidecars(): Promise<number> {
  const all = await Promise.all(clusters.map((cluster) => cluster.proxies()));
  return all.flat().filter(isSidecar).length;
}

beforeAll(async () => {
  await ensureClientPod(second, POD);
});
afterAll(async () => {
  await deleteClientPod(second, POD);
});

describe("istiod", () => {
  it.each(clusters)(
    "of $name tells what every proxy of the cluster has acknowledged",
    async (cluster) => {
      await until(
        "every proxy to have acknowledged all that it was sent",
        async () => {
          const [pods, { of, silent }] = [await cluster.proxies(), await connectionsOf(cluster)];
          expect(silent).toEqual([]);
          for (const pod of pods) {
            const [connection, ...others] = of.get(proxyId(pod)) ?? [];
            expect(others).toEqual([]);
            for (const { sent, acknowledged } of Object.values(connection?.nonces ?? {})) {
              expect(acknowledged).toBe(sent);
            }
            expect(stateOf(connection?.nonces.cluster.sent ?? "")).toBeGreaterThan(0);
            // A gateway that forwards by SNI alone has no routes.
            if (!isSidecar(pod)) continue;
            expect(stateOf(connection?.nonces.route.sent ?? "")).toBeGreaterThan(0);
          }
        },
        { timeoutMs: 30_000 },
      );
    },
  );
});

describe("a cluster with more Envoys than are asked", () => {
  it("rises once all others have acknowledged the weight, which they serve then", async () => {
    const { value } = await change(10);
    const [, acknowledged] = /, and (\d+) more have acknowledged it to istiod/.exec(value) ?? [];
    expect(Number(acknowledged)).toBeGreaterThan(0);
    expect(Number(acknowledged)).toBeLessThanOrEqual(await sidecars());
    await expectEverywhere(10);
  });

  it("does not rise while one does not acknowledge it, which is named", async () => {
    await signalInPod(second.name, POD, "envoy", "SIGSTOP");
    try {
      const text = await failure(change(30));
      expect(text).toContain("The weight was taken back in all clusters:");
      expect(text).toContain(`client/${POD} has not acknowledged what istiod has sent`);
      expect((await deployed()).map(({ weight }) => weight)).toEqual(clusters.map(() => 10));
    } finally {
      await signalInPod(second.name, POD, "envoy", "SIGCONT");
    }
    await expectRecovered(30);
  });

  it("falls, and says so", async () => {
    const { value } = await change(0);
    expect(value).toMatch(/more have acknowledged it to istiod/);
    await expectEverywhere(0);
  });
});

describe("a percentage of the proxies that is enough", { tags: ["campaign"] }, () => {
  it("lets the weight rise without one that does not follow, which is named", async () => {
    await beginAt(10);
    await pulumi.setConfig("safety.confirm", "75%");
    await signalInPod(second.name, POD, "envoy", "SIGSTOP");
    try {
      const { value } = await change(30);
      expect(value).toMatch(
        new RegExp(
          `Left out in ${second.name}: 1 of \\d+ that have not confirmed, where 75 % are enough \\(client/${POD} has not acknowledged`,
        ),
      );
      expect(value).not.toContain(`Left out in ${first.name}`);
      expect((await deployed()).map(({ weight }) => weight)).toEqual(clusters.map(() => 30));
    } finally {
      await signalInPod(second.name, POD, "envoy", "SIGCONT");
      await pulumi.setConfig("safety.confirm", undefined);
    }
    await expectEverywhere(30);
  });
});

describe("the simulated fleet", { tags: ["campaign"] }, () => {
  it("answers in the form in which the lab's API servers, istiods and Envoys do", async () => {
    await beginAt(10);
    await expectEverywhere(10);
    for (const [what, { real, simulated }] of Object.entries(await shapesOf(second, service))) {
      expect(real.size, what).toBeGreaterThan(0);
      expect([...simulated].sort(), what).toEqual([...real].sort());
    }
  });
});
