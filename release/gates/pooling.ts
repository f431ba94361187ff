import type { Count } from "./confidence.ts";
import type { Confidence } from "./gate.ts";
import { verdict, type Gate, type GateVerdict, type Reading } from "./verdict.ts";

/** Decisions that pooling takes for one gate of one service, in place of one for each cluster. */
export function pooledDecisions(clusters: number): number {
  // Each cluster is judged with many requests and with few, and all of them together are one more.
  return 2 * clusters + 1;
}

const sum = (counts: readonly Count[]): Count => ({
  hits: counts.reduce((all, { hits }) => all + hits, 0),
  trials: counts.reduce((all, { trials }) => all + trials, 0),
});

/**
 * What a gate says of one cluster where each has few requests. It fails by its own requests, however few they are. Where
 * these cannot tell yet, it passes with those of all clusters together, whose mean share is then judged: that
 * clusters fail at different rates makes it more certain, not less, since of all independent requests with the same
 * mean, equal ones scatter most.
 *
 * @param all readings of the same gate and service, of all clusters that have the same weight
 */
export function pooledVerdict(
  gate: Gate,
  reading: Reading,
  all: readonly Reading[],
  weight: number,
  confidence: Confidence,
): GateVerdict {
  const own = verdict(gate, reading, weight, confidence);
  if (own.outcome !== "hold" || own.blind) return own;
  const early = verdict(gate, reading, weight, { ...confidence, minSamples: 1 });
  if (early.outcome === "fail") return early;
  const counted = all.flatMap(({ counts }) => counts ?? []);
  // What one cluster's Prometheus does not tell may be what is bad.
  if (counted.length < all.length) return own;
  const together = verdict(
    gate,
    {
      cluster: "all clusters together",
      service: reading.service,
      version: reading.version,
      gate: reading.gate,
      counts: {
        canary: sum(counted.map(({ canary }) => canary)),
        stable: sum(counted.map(({ stable }) => stable)),
      },
    },
    weight,
    confidence,
  );
  return together.outcome === "pass"
    ? { ...own, outcome: "pass", text: `${own.text}; ${together.text}` }
    : own;
}
