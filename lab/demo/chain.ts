import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { deleteClientPod } from "../mesh/client-pod.ts";
import { chain } from "../mesh/chain.ts";
import type { PulumiCli } from "../pulumi.ts";
import { chainChecks } from "./chain-checks.ts";
import { measureChain, type ChainPhase } from "./chain-phase.ts";
import { printChainPhase } from "./chain-print.ts";
import type { Check } from "./checks.ts";
import { startClients } from "./clients.ts";
import type { LoadClient } from "./load.ts";
import { heading, printChecks } from "./print.ts";

/** Requests a second of each client: every one goes through three services and some seven proxies, on two cores. */
export const CHAIN_RATE = 5;

/** Phases of the chain's stack. The first one is shown, and the way back. */
export const CHAIN_PHASES = [30, 100] as const;
const WEIGHTS = [CHAIN_PHASES[0], 0];

/** What the demo saw of the chain. */
export interface ChainReport {
  readonly seconds: number;
  readonly installSeconds: number;
  readonly checks: readonly Check[];
  readonly phases: readonly ChainPhase[];
  /** Requests that all clients sent, and those that failed. */
  readonly requests: number;
  readonly failedRequests: number;
  readonly problems: readonly string[];
}

async function runPhases(
  clusters: readonly ClusterClient[],
  pulumi: PulumiCli,
  clients: readonly LoadClient[],
): Promise<ChainPhase[]> {
  const phases: ChainPhase[] = [];
  for (const weight of WEIGHTS) {
    const began = new Date();
    await pulumi.setWeight(weight);
    const { seconds } = await pulumi.up(`chain at ${weight} %`);
    console.log(`the entry has ${weight} % in every cluster, up ${seconds.toFixed(1)} s`);
    const phase = await measureChain(clusters, clients, weight, began);
    printChainPhase(phase);
    phases.push(phase);
  }
  return phases;
}

/**
 * Releases the chain front → order-service → user-service 0 → 30 → 0 % under load in a stack of its own,
 * measures by which versions each request was served all the way, and destroys the stack.
 *
 * @param mesh the stack that has installed the mesh
 * @param makeStack makes the chain's stack, without resources
 */
export async function runChain(
  clusters: readonly ClusterClient[],
  mesh: PulumiCli,
  makeStack: () => Promise<PulumiCli>,
): Promise<ChainReport> {
  const started = Date.now();
  heading(`full chain: ${chain.services.join(" → ")}, pulumi up at weight 0`);
  const pulumi = await makeStack();
  let clients: readonly LoadClient[] = [];
  try {
    const { seconds: installSeconds } = await pulumi.up("chain, canaries at 0 %");
    console.log(`up ${installSeconds.toFixed(1)} s`);
    const checks = await chainChecks(clusters);
    printChecks(checks);
    clients = await startClients(clusters, mesh, chain, CHAIN_RATE);
    const phases = await runPhases(clusters, pulumi, clients);
    const answers = clients.flatMap((client) => client.answers);
    return {
      ...{ seconds: (Date.now() - started) / 1000, installSeconds, checks, phases },
      requests: answers.length,
      failedRequests: answers.filter(({ failure }) => failure !== undefined).length,
      problems: [
        ...checks.filter(({ ok }) => !ok).map(({ what, seen }) => `${what}: ${seen}`),
        ...phases.flatMap(({ problems }) => problems),
      ],
    };
  } finally {
    await Promise.all([
      ...clients.map((client) => client.stop()),
      ...clusters.map((cluster) => deleteClientPod(cluster)),
    ]);
    await pulumi.destroy();
    await pulumi.remove();
  }
}
