import { PatchStrategy } from "@kubernetes/client-node";
import { expect, onTestFinished } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { deleteClientPod, ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { GUARD_IMAGE } from "../../lab/toolchain/guard-image.ts";
import { RELEASE_GUARD } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import type { OwnStackOptions, TestRelease } from "./own-stack.ts";
import { releaseOf } from "./release-command.ts";
import { clusters, first, withOwnRelease } from "./release.ts";

const FAULTY = "faulty-canary";

/** A release of the test file's own that guards watch as pods; see withOwnRelease. */
export function withGuardedRelease(name: TestRelease, { config = {}, ...more }: OwnStackOptions) {
  const own = withOwnRelease(name, {
    ...more,
    config: { guard: { image: GUARD_IMAGE }, ...config },
  });
  const { stack, service, deployed } = own;
  const namespace = `istio-canary-guard-${stack}`;
  const guardOf = { namespace, name: RELEASE_GUARD };

  /** Waits until the guards of all clusters run, and tell so. */
  async function untilWatched(): Promise<void> {
    await until(
      "all guards to watch",
      async () => {
        for (const { apps, name } of clusters) {
          const { status } = await apps.readNamespacedDeployment(guardOf);
          if (status?.availableReplicas !== 1) throw new Error(`that of ${name} does not run`);
        }
        const { text } = await releaseOf(stack, "status");
        for (const { name } of clusters) {
          expect(text).toMatch(new RegExp(`^the guard in ${name} has watched since `, "m"));
        }
      },
      { timeoutMs: 120_000, everyMs: 1_000 },
    );
  }

  /** Makes every other request fail that asks for the canary, until the test has ended. */
  async function breakCanary(): Promise<void> {
    onTestFinished(() => deleteClientPod(first, FAULTY));
    await ensureClientPod(first, FAULTY, [
      ...[
        "curl",
        "--silent",
        "--output",
        "/dev/null",
        "--rate",
        "20/s",
        "--header",
        "x-canary: true",
      ],
      `http://${service.host}/?codes=500:1,200:1&request=[1-36000]`,
    ]);
  }

  /** Waits until API servers have 0 %, which nobody here has written. */
  async function untilLowered(of: readonly ClusterClient[]): Promise<void> {
    await until(
      `0 % in ${of.map(({ name }) => name).join(" and ")}`,
      async () => {
        const weights = await deployed(of);
        if (weights.some(({ weight }) => weight !== 0)) throw new Error(JSON.stringify(weights));
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }

  /** Whether a cluster runs its guard. */
  async function runGuard(cluster: ClusterClient, replicas: 0 | 1): Promise<void> {
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: guardOf,
      spec: { replicas },
    };
    await cluster.objects.patch(
      deployment,
      undefined,
      undefined,
      "guard-test",
      undefined,
      PatchStrategy.MergePatch,
    );
    await until(
      `${replicas} guards in ${cluster.name}`,
      async () => {
        const { items } = await cluster.core.listNamespacedPod({ namespace });
        if (items.length !== replicas) throw new Error(`there are ${items.length}`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }

  return { ...own, namespace, untilWatched, breakCanary, untilLowered, runGuard };
}
