import { setTimeout } from "node:timers/promises";
import { afterEach } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { hostInCluster } from "../../lab/mesh/service.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import type { ClusterPreference } from "../../lib/routing/routing.ts";
import { until } from "../../lib/until.ts";
import { mend } from "./cut.ts";
import { ingressAddress } from "./lab.ts";
import { testService } from "./own-stack.ts";
import { first, second, withOwnRelease } from "./release.ts";
import { sendRequests, timeline, type Sent } from "./requests.ts";

/** Pods of each version in each cluster. */
const REPLICAS = 2;

/** Requests a second, as many GET as POST. */
export const RATE = 40;

const service = testService("failover");

/** The host that names the second cluster, in which the faults happen. */
export const named = `http://${hostInCluster(service, second.name)}/`;

/** A release of a service with a preference, which tests of clusters that fail share, one file after the other. */
export function withFailoverRelease(clusterPreference: ClusterPreference) {
  const services = [{ ...serviceConfig(service, REPLICAS), clusterPreference }];
  const release = withOwnRelease("failover", { config: { services } });
  afterEach(async () => {
    await mend(second.name);
  });

  /**
   * Sends requests to the first cluster's ingress gateway, three seconds before a fault and as long as it lasts, and waits for all
   * answers.
   *
   * @param path of the requests. @default `/`
   */
  async function sendWhile(
    seconds: number,
    fault: () => Promise<void>,
    path?: string,
  ): Promise<{ readonly sent: readonly Sent[]; readonly at: number }> {
    const requests = sendRequests(
      service.ingressHost,
      await ingressAddress(first.name),
      RATE,
      path,
    );
    await setTimeout(3000);
    const at = Date.now();
    await fault();
    await setTimeout(at + seconds * 1000 - Date.now());
    await requests.stop();
    console.log(timeline(requests.sent, at));
    return { sent: requests.sent, at };
  }

  /** Sets how many pods each version has in a cluster, as an operator does by hand. */
  async function scale({ apps, core }: ClusterClient, replicas = REPLICAS): Promise<void> {
    const { namespace } = service;
    for (const version of [service.stable, service.canary]) {
      const at = { name: `${service.name}-${version}`, namespace };
      const found = await apps.readNamespacedDeploymentScale(at);
      if (!found.spec) throw new Error(`${at.name} has no scale`);
      found.spec.replicas = replicas;
      await apps.replaceNamespacedDeploymentScale({ ...at, body: found });
    }
    if (replicas === 0) return;
    await until(
      "the pods to be back",
      async () => {
        const { items } = await core.listNamespacedPod({ namespace });
        const ready = items.filter(({ status }) =>
          status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
        );
        if (ready.length < 2 * replicas) throw new Error(`${ready.length} are ready`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }

  /** Waits until both clusters answer about as many requests as each other. */
  async function untilSpread(): Promise<void> {
    const address = await ingressAddress(first.name);
    await until(
      `a third of the answers from ${second.name}`,
      async () => {
        const requests = sendRequests(service.ingressHost, address, RATE);
        await setTimeout(1500);
        await requests.stop();
        const far = requests.sent.filter(({ cluster }) => cluster === second.name).length;
        if (far < requests.sent.length / 3) throw new Error(`${far} of ${requests.sent.length}`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }

  return { ...release, sendWhile, untilSpread, scale };
}

/** Status and seconds of requests that a client in a cluster makes at the same time. */
export async function callAtOnce(cluster: ClusterClient, url: string, count: number) {
  const pod = await ensureClientPod(cluster);
  const output = await cluster.exec(pod, "client", [
    ...["curl", "--silent", "--parallel", "--parallel-immediate", "--max-time", "20"],
    ...["--output", "/dev/null", "--write-out", "%{http_code} %{time_total}\\n"],
    `${url}?request=[1-${count}]`,
  ]);
  return output
    .trim()
    .split("\n")
    .map((line) => {
      const [status = NaN, seconds = NaN] = line.split(" ").map(Number);
      return { status, seconds };
    });
}

/** Waits until the host that names the second cluster answers. */
export async function untilNamedAnswers(): Promise<void> {
  await until(
    `an answer of ${named}`,
    async () => {
      const [answer] = await callAtOnce(first, named, 1);
      if (answer?.status !== 200) throw new Error(`it is ${answer?.status ?? "nothing"}`);
    },
    { timeoutMs: 60_000, everyMs: 500 },
  );
}
