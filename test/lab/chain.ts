import { afterAll, beforeAll, expect } from "vitest";

import { chainStack, makeChainStack } from "../../lab/chain-stack.ts";
import { CHAIN_RATE } from "../../lab/demo/chain.ts";
import { confirmChain } from "../../lab/demo/chain-phase.ts";
import { mixedWays } from "../../lab/demo/chain-ways.ts";
import { startClients } from "../../lab/demo/clients.ts";
import type { LoadClient } from "../../lab/demo/load.ts";
import { chain } from "../../lab/mesh/chain.ts";
import { deleteClientPod } from "../../lab/mesh/client-pod.ts";
import type { Timed } from "../../lab/pulumi.ts";
import { serverImage } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import type { RolloutEvent } from "../../release/rollout-event.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { releaseOf } from "./release-command.ts";
import { clusters } from "./release.ts";

/** The CLI on the chain's stack. */
export const pulumi = labPulumi(chainStack);

/** Where a service's entry of the config is: `services[1]`. */
export function at(service: (typeof chain.services)[number]): string {
  return `services[${chain.services.indexOf(service)}]`;
}

/** `pulumi config set weight`, and `pulumi up`. */
export async function change(weight: number): Promise<Timed<string>> {
  await pulumi.setWeight(weight);
  return pulumi.up(`chain test: ${weight} %`);
}

/** Clients of the chain: one inside each cluster, one outside through each ingress gateway. */
export class ChainLoad {
  readonly clients: LoadClient[] = [];

  async start(): Promise<void> {
    this.clients.push(...(await startClients(clusters, labPulumi(), chain, CHAIN_RATE)));
  }

  /**
   * Fails if a request since a moment was served by versions that do not belong together.
   *
   * @param since milliseconds since the epoch
   * @param stable version that stable is. @default that of the lab
   */
  expectNoneMixed(since = 0, stable: string = chain.stable): void {
    for (const { name, answers } of this.clients) {
      const own = answers.filter((answer) => answer.at >= since);
      expect(own.length, name).toBeGreaterThan(50);
      expect(mixedWays(own, chain.canary, stable), name).toEqual([]);
    }
  }

  expectNoFailure(): void {
    expectAnswered(this.clients);
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.splice(0).map((client) => client.stop()));
  }
}

/**
 * Makes the chain's stack for the tests of one file, without resources, and destroys it after them.
 *
 * @param phases of the stack's config
 */
export function withChainStack(phases: readonly number[]): ChainLoad {
  const load = new ChainLoad();
  beforeAll(async () => {
    await makeChainStack(labSettings(), phases);
  });
  afterAll(async () => {
    await load.stop();
    await Promise.all(clusters.map((cluster) => deleteClientPod(cluster)));
    await pulumi.destroy();
    await pulumi.remove();
  });
  return load;
}

/** A service's canary, with one of the lab's images, in the config. */
export async function setCanary(
  service: (typeof chain.services)[number],
  tag: string,
): Promise<void> {
  await pulumi.setConfig(`${at(service)}.canary.version`, chain.canary);
  await pulumi.setConfig(`${at(service)}.canary.image`, serverImage(tag));
  await pulumi.setConfig(`${at(service)}.canary.replicas`, "1");
}

/** Rolls the chain out, under load, and expects all of it to be taken back for one service that fails. */
export async function expectChainTakenBack(load: ChainLoad): Promise<void> {
  const { stdout, stderr, exitCode } = await releaseOf(chainStack, "rollout", "--json");
  expect(stderr).toBe("");
  const events = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as RolloutEvent);
  expect(
    events
      .map(({ event }) => event)
      .filter((event) => !["look", "raise-waits", "waits"].includes(event)),
  ).toEqual([...["begin", "raise", "raised", "roll-back", "lowered", "rolled-back", "end"]]);
  const end = events.at(-1);
  expect(end?.event === "end" && end.reason).toMatch(
    /^cluster-[ab]: success rate of v2 of chain\/(front|order-service|user-service): /,
  );
  expect(exitCode).toBe(2);
  await confirmChain(clusters, 0);
  load.expectNoneMixed();
}
