import type { Gates, Rollout } from "../../stacks/schema.ts";
import { decides, type Verdict } from "../planner.ts";
import {
  isSurelyWorse,
  judgeBadShare,
  judgeShare,
  type BadCounts,
  type BadShareLimits,
  type Confidence,
  type Judgement,
} from "./gate.ts";
import { RISK_OF_WHOLE, type Recent } from "./restarts.ts";

/** A gate of the configuration: one on the share of bad requests, on those that never arrived, or on the canary's share of all. */
export type Gate = Rule & {
  /** Whether it only shows what it says. */
  readonly dryRun: boolean;
};
type Rule =
  | {
      readonly kind: "bad";
      readonly name: string;
      readonly limits: BadShareLimits;
      /** Whether an endpoint counts for it, so that it needs no Prometheus. @default false */
      readonly web?: boolean;
    }
  /** On requests that no pod has answered; the limits are those of the canary's own requests. */
  | { readonly kind: "unreached"; readonly name: string; readonly limits: BadShareLimits }
  | { readonly kind: "share"; readonly name: string; readonly tolerance: number };

/** What has been counted in a stretch at the end of the phase. */
export interface RecentCounts extends Recent {
  readonly counts: BadCounts;
}

/** What has been counted in a cluster for one gate and service since the phase began. */
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
  /** Whether the cluster got no request of either version. @default it did, or nobody knows */
  readonly idle?: boolean | undefined;
  /** The same counts of the last stretches of the phase, if the gate looks at them. @default it does not */
  readonly recent?: readonly RecentCounts[] | undefined;
  /** What is to be said besides. @default nothing */
  readonly remark?: string | undefined;
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

/** What has not arrived names no version: what was so before the phase is always allowed. */
function unreachedLimits({ atLeast, margin, precision }: Gates["successRate"]): BadShareLimits {
  return { most: 100 - atLeast, margin, precision };
}

/** Limits of the canary's requests as those of all: it gets so many percent of them. */
function ofAll(
  { most = 0, margin = 0, precision }: BadShareLimits,
  weight: number,
): BadShareLimits {
  const part = weight === 0 ? 1 : weight / 100;
  return { most: most * part, margin: margin * part, precision: precision * part };
}

/** The gates as they are configured for the phase of a weight. */
export function gatesAt(
  { gates, at }: { readonly gates: Gates; readonly at: Rollout["at"] },
  weight: number,
): Gates {
  const phase = at.find((each) => each.weight === weight);
  if (!phase) return gates;
  const here = <T extends Gates["successRate"]>(name: string, of: T): T => {
    const limits = phase.gates[name] ?? {};
    return {
      ...of,
      atLeast: limits.atLeast ?? of.atLeast,
      margin: limits.margin ?? of.margin,
      precision: limits.precision ?? phase.precision ?? of.precision,
    };
  };
  return {
    ...gates,
    successRate: here("successRate", gates.successRate),
    latency: here("latency", gates.latency),
    queries: gates.queries.map((each) => here(each.name, each)),
    web: gates.web.map((each) => here(each.name, each)),
  };
}

/** The gates that are on, in the order in which they are shown. */
export function gatesOf(config: Gates): readonly Gate[] {
  const { successRate, latency, share, queries, web, without, dryRun } = config;
  const builtIn: readonly Rule[] = [
    { kind: "bad", name: "successRate", limits: limitsOf(successRate) },
    { kind: "bad", name: "latency", limits: limitsOf(latency) },
    { kind: "unreached", name: "unreached", limits: unreachedLimits(successRate) },
    { kind: "share", name: "share", tolerance: share.tolerance },
  ];
  const on = [
    ...builtIn.filter(({ name }) => without.every((each) => each !== name)),
    ...queries.map((query): Rule => ({ kind: "bad", name: query.name, limits: limitsOf(query) })),
    ...web.map((each): Rule => ({
      kind: "bad",
      name: each.name,
      limits: limitsOf(each),
      web: true,
    })),
  ];
  return on.map((gate) => ({ ...gate, dryRun: dryRun.includes(gate.name) }));
}

/** Whether a gate judges by a Prometheus, and not by an endpoint alone. */
export function needsMetrics(gate: Gate): boolean {
  return gate.kind !== "bad" || gate.web !== true;
}

/**
 * How sure each gate must be so that all of them together, in all phases, clusters and services, are
 * wrong in no more rollouts than the configuration allows (Bonferroni's inequality).
 *
 * @param decisions.gates those of all services
 */
export function confidenceOf(
  { risk, minSamples }: Gates,
  decisions: {
    readonly phases: number;
    readonly clusters: number;
    readonly gates: readonly Gate[];
  },
): Confidence {
  const { phases, clusters, gates } = decisions;
  const made = phases * clusters * gates.filter(decides).length;
  return { minSamples, risk: risk / 100 / Math.max(1, made) };
}

/** A number of percent with as many digits as say something. */
export function shown(percent: number): string {
  return percent > 0 && percent < 0.1 ? percent.toPrecision(1) : percent.toFixed(1);
}

const WORDS: Readonly<Record<string, string>> = {
  successRate: "success rate",
  latency: "answers in time",
  unreached: "requests that reached a pod",
  share: "share of the requests",
};

/** A gate's name in sentences. */
export function gateWords(name: string): string {
  return WORDS[name] ?? name;
}

/** A judgement's numbers as people read them: those of bad requests as the share of good ones. */
export function figures({
  value,
  low,
  high,
  limit,
  tolerance,
}: Pick<Judgement, "low" | "high" | "limit" | "tolerance"> & {
  readonly value?: number | undefined;
}): { readonly value: string | undefined; readonly interval: string; readonly limit: string } {
  const percent = (of: number) => `${shown(of)} %`;
  return tolerance === undefined
    ? {
        value: value === undefined ? undefined : percent(100 - value),
        interval: `${shown(100 - high)} … ${percent(100 - low)}`,
        limit: `at least ${percent(100 - limit)}`,
      }
    : {
        value: value === undefined ? undefined : percent(value),
        interval: `${shown(low)} … ${percent(high)}`,
        limit: `wanted ${percent(limit)} ± ${tolerance}`,
      };
}

function sentence(judgement: Judgement): string {
  const { samples, missing } = judgement;
  const { value, interval, limit } = figures(judgement);
  const held = missing === undefined ? "" : `; too few: ${missing}`;
  return value === undefined
    ? `no requests yet${held}`
    : `${value} (confidence interval ${interval}) of ${samples} requests, ${limit}${held}`;
}

/** What a gate says of a reading, at the weight that the canary has. */
export function verdict(
  gate: Gate,
  reading: Reading,
  weight: number,
  confidence: Confidence,
): GateVerdict {
  const { cluster, service, version, counts, silent, idle = false, recent, remark = "" } = reading;
  const about =
    gate.kind === "unreached"
      ? `${cluster}: ${gateWords(gate.name)} of ${service}, as the cluster's clients saw it`
      : `${cluster}: ${gateWords(gate.name)} of ${version} of ${service}`;
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
  if (idle) {
    return {
      ...of,
      outcome: "idle",
      blind: false,
      judgement: undefined,
      text: `${about}: idle, neither version got a request`,
    };
  }
  const { judgement, stretch } = judgeAll(gate, { counts, recent }, weight, confidence);
  const besides = remark === "" ? "" : ` (${remark})`;
  return {
    ...of,
    outcome: judgement.outcome,
    blind: false,
    judgement,
    text: `${about}: ${sentence(judgement)}${stretch}${besides}`,
  };
}

/** The judgement on the whole phase, unless a stretch at its end fails alone. */
function judgeAll(
  gate: Gate,
  { counts, recent }: { readonly counts: BadCounts } & Pick<Reading, "recent">,
  weight: number,
  confidence: Confidence,
): { readonly judgement: Judgement; readonly stretch: string } {
  const withPart = (part: number) => ({ ...confidence, risk: part * confidence.risk });
  if (gate.kind === "share") {
    return {
      judgement: judgeShare(counts.canary, weight, gate.tolerance, confidence),
      stretch: "",
    };
  }
  const limits = gate.kind === "unreached" ? ofAll(gate.limits, weight) : gate.limits;
  const judgement = judgeBadShare(counts, limits, withPart(recent ? RISK_OF_WHOLE : 1));
  const bad =
    judgement.outcome === "fail"
      ? undefined
      : recent?.find((last) => isSurelyWorse(last.counts, limits, withPart(last.riskPart)));
  return bad
    ? {
        judgement: judgeBadShare(bad.counts, limits, withPart(bad.riskPart)),
        stretch: ` in the last ${bad.seconds} s`,
      }
    : { judgement, stretch: "" };
}

/**
 * Idle clusters are not waited for as long as one is not: a gate that is idle in every cluster has seen
 * nothing of the canary, and holds.
 */
export function heldWhereAllIdle(verdicts: readonly GateVerdict[]): readonly GateVerdict[] {
  return verdicts.map((verdict) => {
    const { service, gate, text } = verdict;
    const same = verdicts.filter((each) => each.service === service && each.gate === gate);
    return same.every(({ outcome }) => outcome === "idle")
      ? { ...verdict, outcome: "hold", text: `${text}, and no other cluster either` }
      : verdict;
  });
}
