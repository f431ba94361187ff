import type { Gates } from "../../stacks/schema.ts";
import { decides, type Verdict } from "../planner.ts";
import {
  judgeBadShare,
  judgeShare,
  type BadCounts,
  type BadShareLimits,
  type Confidence,
  type Judgement,
} from "./gate.ts";

/** A gate of the configuration: one on the share of bad requests, or the one on the canary's share of all. */
export type Gate = Rule & {
  /** Whether it only shows what it says. */
  readonly dryRun: boolean;
};
type Rule =
  | { readonly kind: "bad"; readonly name: string; readonly limits: BadShareLimits }
  | { readonly kind: "share"; readonly name: string; readonly tolerance: number };

/** What a cluster's Prometheus has counted for one gate and service since the phase began. */
export interface Reading {
  readonly cluster: string;
  /** The service, as `namespace/service`. */
  readonly service: string;
  readonly version: string;
  readonly gate: string;
  /** For the share, the canary's requests among all. @default nobody has answered */
  readonly counts: BadCounts | undefined;
  /** Why there are no counts. */
  readonly silent?: string | undefined;
}

/** A gate's verdict on one service in one cluster, with what it rests on. */
export interface GateVerdict extends Verdict {
  readonly cluster: string;
  readonly service: string;
  readonly gate: string;
  readonly judgement: Judgement | undefined;
}

function limitsOf({ atLeast, margin, against, precision }: Gates["successRate"]): BadShareLimits {
  return {
    precision,
    ...(against !== "stable" && { most: 100 - atLeast }),
    ...(against !== "fixed" && { margin }),
  };
}

/** The gates that are on, in the order in which they are shown. */
export function gatesOf(config: Gates): readonly Gate[] {
  const { successRate, latency, share, queries, without, dryRun } = config;
  const builtIn: readonly Rule[] = [
    { kind: "bad", name: "successRate", limits: limitsOf(successRate) },
    { kind: "bad", name: "latency", limits: limitsOf(latency) },
    { kind: "share", name: "share", tolerance: share.tolerance },
  ];
  const on = [
    ...builtIn.filter(({ name }) => without.every((each) => each !== name)),
    ...queries.map((query): Rule => ({ kind: "bad", name: query.name, limits: limitsOf(query) })),
  ];
  return on.map((gate) => ({ ...gate, dryRun: dryRun.includes(gate.name) }));
}

/**
 * How sure each gate must be so that all of them together, in all phases, clusters and services, are
 * wrong in no more rollouts than the configuration allows (Bonferroni's inequality).
 */
export function confidenceOf(
  { risk, minSamples }: Gates,
  decisions: {
    readonly phases: number;
    readonly clusters: number;
    readonly services: number;
    readonly gates: readonly Gate[];
  },
): Confidence {
  const { phases, clusters, services, gates } = decisions;
  const made = phases * clusters * services * gates.filter(decides).length;
  return { minSamples, risk: risk / 100 / Math.max(1, made) };
}

/** A number of percent with as many digits as say something. */
function shown(percent: number): string {
  return percent > 0 && percent < 0.1 ? percent.toPrecision(1) : percent.toFixed(1);
}

/** Names of the built-in gates in sentences. */
const WORDS: Readonly<Record<string, string>> = {
  successRate: "success rate",
  latency: "answers in time",
  share: "share of the requests",
};

function sentence(gate: Gate, { value, low, high, limit, samples, missing }: Judgement): string {
  const held = missing === undefined ? "" : `; too few: ${missing}`;
  if (value === undefined) return `no requests yet${held}`;
  const measured = (of: number, from: number, to: number) =>
    `${shown(of)} % (surely ${shown(from)} … ${shown(to)} %) of ${samples} requests`;
  return gate.kind === "share"
    ? `${measured(value, low, high)}, wanted ${shown(limit)} % ± ${gate.tolerance}${held}`
    : `${measured(100 - value, 100 - high, 100 - low)}, at least ${shown(100 - limit)} %${held}`;
}

/** What a gate says of a reading, at the weight that the canary has. */
export function verdict(
  gate: Gate,
  reading: Reading,
  weight: number,
  confidence: Confidence,
): GateVerdict {
  const { cluster, service, version, counts, silent } = reading;
  const about = `${cluster}: ${WORDS[gate.name] ?? gate.name} of ${version} of ${service}`;
  const of = { cluster, service, gate: gate.name, ...(gate.dryRun && { dryRun: true }) };
  if (!counts) {
    return {
      ...of,
      outcome: "hold",
      blind: true,
      judgement: undefined,
      text: `${about} is unknown: ${silent ?? "no answer"}`,
    };
  }
  const judgement =
    gate.kind === "share"
      ? judgeShare(counts.canary, weight, gate.tolerance, confidence)
      : judgeBadShare(counts, gate.limits, confidence);
  return {
    ...of,
    outcome: judgement.outcome,
    blind: false,
    judgement,
    text: `${about}: ${sentence(gate, judgement)}`,
  };
}
