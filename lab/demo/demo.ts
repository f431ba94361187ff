import { rm, writeFile } from "node:fs/promises";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { deleteClientPod } from "../mesh/client-pod.ts";
import { userService } from "../mesh/user-service.ts";
import type { PulumiCli } from "../pulumi.ts";
import { runChain, type ChainReport } from "./chain.ts";
import { headerChecks, serviceEntryChecks, type Check } from "./checks.ts";
import { startClients } from "./clients.ts";
import type { LoadClient } from "./load.ts";
import type { PhaseReport } from "./phase.ts";
import { runRollback, runRollout, writeReport, type ReleaseCommand } from "./rollout.ts";
import { heading, printChecks, printProblems } from "./print.ts";
import { differences, recorded, recordRouting } from "./routing-record.ts";

/** Everything the demo saw, as it is written to `.lab/demo.json`. */
interface DemoReport {
  readonly startedAt: string;
  readonly seconds: number;
  readonly installSeconds: number;
  readonly phases: readonly PhaseReport[];
  readonly checks: readonly Check[];
  /** What is not as it was before the release, after the rollback. */
  readonly rollbackDifferences: readonly string[];
  /** The second act: several services as one release. */
  readonly chain: ChainReport;
  /** Requests that all clients sent, and those that failed. */
  readonly requests: number;
  readonly failedRequests: number;
  readonly problems: readonly string[];
}

/** Installs the mesh at weight 0: the state that a release starts from. */
async function install(pulumi: PulumiCli): Promise<number> {
  await pulumi.setWeight(0);
  return (await pulumi.up("mesh and user-service, canary at 0 %")).seconds;
}

async function release(
  command: ReleaseCommand,
  clusters: readonly ClusterClient[],
  clients: readonly LoadClient[],
  eventsFile: string,
): Promise<Pick<DemoReport, "phases" | "rollbackDifferences" | "problems">> {
  const before = await recordRouting(clusters, userService);
  heading(`release: npm run release -- rollout --stack ${command.stack}`);
  const { phases, problems } = await runRollout(command, clusters, clients, eventsFile);
  heading(`rollback: npm run release -- rollback --stack ${command.stack} --to zero`);
  const back = await runRollback(command, clusters, clients);
  const rollbackDifferences = differences(before, await recordRouting(clusters, userService));
  console.log(
    rollbackDifferences.length === 0
      ? `routing is what it was before the release: ${recorded(before)} objects and Envoys compared`
      : `routing is not what it was before the release:`,
  );
  printProblems(rollbackDifferences);
  return { phases: [...phases, back], rollbackDifferences, problems };
}

/** The files that a demo writes. */
export interface DemoFiles {
  /** What it has seen, as JSON. */
  readonly facts: string;
  /** The events of the rollout. */
  readonly events: string;
  /** The page about it. */
  readonly report: string;
}

/**
 * Releases user-service 0 → 10 → 30 → 100 → 0 % on running clusters, under load, and measures every
 * step; then a chain of services 0 → 30 → 0 %. Prints what it sees and writes it to `files`.
 *
 * @param makeChain makes the stack of the chain, without resources
 * @returns everything that is wrong; empty if all is well
 */
export async function runDemo(
  clusters: readonly ClusterClient[],
  pulumi: PulumiCli,
  command: ReleaseCommand,
  files: DemoFiles,
  makeChain: () => Promise<PulumiCli>,
): Promise<readonly string[]> {
  const started = Date.now();
  // The command appends to it.
  await rm(files.events, { force: true });
  heading("install: pulumi up at weight 0");
  const installSeconds = await install(pulumi);
  console.log(`up ${installSeconds.toFixed(1)} s`);

  heading("single calls at weight 0");
  const checks = [...(await serviceEntryChecks(clusters)), ...(await headerChecks(clusters))];
  printChecks(checks);

  const clients = await startClients(clusters, pulumi, userService);
  let outcome;
  try {
    outcome = await release(command, clusters, clients, files.events);
  } finally {
    await Promise.all([
      ...clients.map((client) => client.stop()),
      ...clusters.map((cluster) => deleteClientPod(cluster)),
    ]);
  }
  await writeReport(command, files.events, files.report);
  const chain = await runChain(clusters, pulumi, makeChain);
  const answers = clients.flatMap((client) => client.answers);
  const problems = [
    ...checks.filter(({ ok }) => !ok).map(({ what, seen }) => `${what}: ${seen}`),
    ...outcome.problems,
    ...outcome.phases.flatMap((phase) => phase.problems),
    ...outcome.rollbackDifferences,
    ...chain.problems,
  ];
  const report: DemoReport = {
    startedAt: new Date(started).toISOString(),
    seconds: (Date.now() - started) / 1000,
    installSeconds,
    ...outcome,
    ...{ checks, chain },
    requests: answers.length + chain.requests,
    failedRequests:
      answers.filter(({ failure }) => failure !== undefined).length + chain.failedRequests,
    problems,
  };
  await writeFile(files.facts, `${JSON.stringify(report, undefined, 2)}\n`);
  heading(
    `${problems.length === 0 ? "all is well" : `${problems.length} problems`}: ` +
      `${report.requests} requests, ${report.failedRequests} failed, ${report.seconds.toFixed(0)} s`,
  );
  return problems;
}
