import { textTable } from "../../lib/table.ts";
import { chain } from "../mesh/chain.ts";
import type { ChainPhase } from "./chain-phase.ts";
import type { ServiceShare } from "./chain-ways.ts";
import { printProblems, sharesTable } from "./print.ts";

function clustersText({ answers, from }: ServiceShare): string {
  return Object.entries(from)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([cluster, count]) => `${cluster} ${Math.round((100 * count) / answers)} %`)
    .join(", ");
}

/** Prints what each version of each service served at one weight of the entry. */
export function printChainPhase(phase: ChainPhase): void {
  const { weight, shares, services, mixed, failures, problems } = phase;
  const table = textTable(["service", "role", "version", "share", "answers", "answered by"]);
  for (const share of services) {
    const { service, answers, canary } = share;
    const role = service === chain.entry ? "entry" : "follower";
    const percent = (count: number) => `${((100 * count) / Math.max(1, answers)).toFixed(1)} %`;
    const stable = answers - canary;
    table.push(
      [service, role, chain.stable, percent(stable), stable, clustersText(share)],
      ["", "", chain.canary, percent(canary), canary, ""],
    );
  }
  console.log(table.toString());
  console.log(sharesTable(shares, weight));
  console.log(`mixed answers: ${mixed.length}, failed requests: ${failures.length}`);
  printProblems(problems);
}
