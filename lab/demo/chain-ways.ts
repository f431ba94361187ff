import { chain } from "../mesh/chain.ts";
import type { Answer, Hop } from "./answers.ts";

/** What one service of the chain served. */
export interface ServiceShare {
  readonly service: string;
  /** Requests that it has served. */
  readonly answers: number;
  /** How many of them its canary has served. */
  readonly canary: number;
  /** Requests by the cluster that has served them. */
  readonly from: Readonly<Record<string, number>>;
}

/** Whether each service of the chain has served the request by this version, with this mark. */
function isWay(hops: readonly Hop[], version: string, mark: string | undefined): boolean {
  return (
    hops.length === chain.services.length &&
    hops.every(
      (hop, i) => hop.service === chain.services[i] && hop.version === version && hop.mark === mark,
    )
  );
}

/** A way through the chain in words, short where it is right. */
export function wayText(hops: readonly Hop[]): string {
  for (const version of [chain.canary, chain.stable]) {
    if (isWay(hops, version, chain.mark)) return `${version} alone, marked`;
    if (isWay(hops, version, undefined)) return `${version} alone`;
  }
  const one = ({ service, version, mark }: Hop) =>
    `${service} ${version}${mark === undefined ? "" : ` marked ${mark}`}`;
  return hops.length === 0 ? "no service" : hops.map(one).join(" → ");
}

/**
 * The ways of answered requests that are not right, a line each: a right one leads through all services of the
 * chain, and is served by canaries alone and marked all the way, or by stable versions alone and not marked.
 *
 * @param canary version of the canaries. @default that of the lab
 * @param stable version that stable is. @default that of the lab
 */
export function mixedWays(
  answers: readonly Answer[],
  canary: string = chain.canary,
  stable: string = chain.stable,
): string[] {
  return answers
    .filter(({ failure }) => failure === undefined)
    .filter(({ hops }) => !isWay(hops, canary, chain.mark) && !isWay(hops, stable, undefined))
    .map(({ hops }) => wayText(hops));
}

/** What each service of the chain served of the answered requests, in the chain's order. */
export function serviceShares(answers: readonly Answer[]): ServiceShare[] {
  return chain.services.map((service) => {
    const hops = answers
      .filter(({ failure }) => failure === undefined)
      .flatMap((answer) => answer.hops.filter((hop) => hop.service === service));
    const from: Record<string, number> = {};
    for (const { cluster } of hops) from[cluster] = (from[cluster] ?? 0) + 1;
    const canary = hops.filter(({ version }) => version === chain.canary).length;
    return { service, answers: hops.length, canary, from };
  });
}
