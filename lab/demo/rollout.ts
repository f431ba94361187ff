import path from "node:path";

import { execa } from "execa";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { userService } from "../mesh/user-service.ts";
import { eventText } from "../../release/events.ts";
import type { RolloutEvent, TimedEvent } from "../../release/rollout-event.ts";
import { measureShares, sharesBetween } from "./measure.ts";
import type { LoadClient } from "./load.ts";
import { inForce, phaseReport, type InForce, type PhaseReport } from "./phase.ts";
import { printInForce, printPhase } from "./print.ts";

const RELEASE = path.join(import.meta.dirname, "..", "..", "release", "cli.ts");

/** How the release command is run: in which environment, on which stack. */
export interface ReleaseCommand {
  readonly env: Readonly<Record<string, string>>;
  readonly stack: string;
}

/** A phase that is in force. */
interface Open {
  readonly served: InForce;
  readonly began: Date;
  readonly changed: Date;
}

/** What a look says, for people. */
function lookText({ weight, verdicts, reason }: Extract<RolloutEvent, { event: "look" }>): string {
  const passed = verdicts.filter(({ outcome }) => outcome === "pass").length;
  const gates = verdicts.length === 0 ? "" : `${passed} of ${verdicts.length} gates pass; `;
  return `  ${weight} %: ${gates}${reason}`;
}

/**
 * Takes the canary through all phases by `release rollout`, and measures what clients are served in each:
 * all answers from the moment its weight is in every Envoy until the next change.
 *
 * @param eventsFile where the command keeps its events
 * @returns the phases, and what is wrong with the whole
 */
export async function runRollout(
  { env, stack }: ReleaseCommand,
  clusters: readonly ClusterClient[],
  clients: readonly LoadClient[],
  eventsFile: string,
): Promise<{ readonly phases: readonly PhaseReport[]; readonly problems: readonly string[] }> {
  const command = execa(
    "node",
    [RELEASE, "rollout", "--stack", stack, "--again", "--json", "--events", eventsFile],
    { env, stdin: "ignore", stderr: "inherit", reject: false },
  );
  const phases: PhaseReport[] = [];
  let began = new Date();
  let open: Open | undefined;
  const close = async (end: Date) => {
    if (!open) return;
    const { served, ...change } = open;
    const shares = await sharesBetween(clients, served.switchedAt, end, served.weight);
    const report = phaseReport(served, shares, clients, change.began, change.changed);
    printPhase(report);
    phases.push(report);
    open = undefined;
  };
  for await (const line of command) {
    const event = JSON.parse(line) as TimedEvent;
    const time = new Date(event.time);
    const text = event.event === "look" ? lookText(event) : eventText(event);
    if (text !== undefined) console.log(text);
    if (event.event === "raise" || event.event === "roll-back" || event.event === "end") {
      await close(time);
      began = time;
    }
    if (event.event === "raised") {
      open = { served: await inForce(clusters, userService, event.weight), began, changed: time };
      printInForce(open.served);
    }
  }
  const { exitCode } = await command;
  return {
    phases,
    problems: exitCode === 0 ? [] : [`release rollout ended with exit code ${exitCode ?? "none"}`],
  };
}

/** Takes the canary back to 0 % by `release rollback`, and measures what clients are served then. */
export async function runRollback(
  { env, stack }: ReleaseCommand,
  clusters: readonly ClusterClient[],
  clients: readonly LoadClient[],
): Promise<PhaseReport> {
  const began = new Date();
  await execa("node", [RELEASE, "rollback", "--stack", stack, "--to", "zero"], {
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const changed = new Date();
  const served = await inForce(clusters, userService, 0);
  printInForce(served);
  const shares = await measureShares(clients, served.switchedAt, 0);
  const report = phaseReport(served, shares, clients, began, changed);
  printPhase(report);
  return report;
}

/** Writes what the rollout has done, and what was measured meanwhile, as one HTML page. */
export async function writeReport(
  { env, stack }: ReleaseCommand,
  eventsFile: string,
  out: string,
): Promise<void> {
  await execa("node", [RELEASE, "report", "--stack", stack, "--events", eventsFile, "--out", out], {
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
}
