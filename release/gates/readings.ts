import { explain } from "../../fleet/explain.ts";
import type { ChainRole } from "../../lib/mark.ts";
import type { Gates } from "../../stacks/schema.ts";
import {
  countQuery,
  countRequests,
  shareCounts,
  withSamples,
  type Counted,
  type Metrics,
} from "./queries.ts";
import type { Gate, Reading } from "./verdict.ts";

/** A service whose canary is judged. */
export interface Judged {
  readonly service: string;
  readonly namespace: string;
  readonly host: string;
  readonly stable: string;
  readonly canary: string;
  /** What it is in a chain. @default it is in none */
  readonly role?: ChainRole | undefined;
}

/** The phase in which a canary is judged; times in milliseconds. */
export interface Phase {
  readonly weight: number;
  readonly since: number;
  readonly now: number;
  /** How long after the start of the phase requests start to count. */
  readonly settleMs: number;
  /** How long before the phase stable is counted where it gets nothing in it. */
  readonly beforeMs: number;
}

/**
 * What one cluster's Prometheus has counted for each gate of a service. That it does not answer is part of
 * the result, not an error.
 *
 * @param gates those of the configuration that are on
 */
export async function readings(
  cluster: string,
  metrics: Metrics,
  judged: Judged,
  { config, gates }: { readonly config: Gates; readonly gates: readonly Gate[] },
  phase: Phase,
): Promise<readonly Reading[]> {
  const { service, namespace, host, stable, canary } = judged;
  const reading = (gate: Gate, more: Pick<Reading, "counts" | "silent">): Reading => ({
    cluster,
    service: `${namespace}/${service}`,
    version: canary,
    gate: gate.name,
    ...more,
  });
  const wanted = gates.filter(({ kind }) => kind !== "share" || phase.weight > 0);
  const begin = phase.since + phase.settleMs;
  const seconds = Math.floor((phase.now - begin) / 1000);
  const nothing = { canary: { hits: 0, trials: 0 }, stable: { hits: 0, trials: 0 } };
  if (seconds < 1) return wanted.map((gate) => reading(gate, { counts: nothing }));

  const during: Counted = {
    cluster,
    service,
    namespace,
    host,
    until: new Date(phase.now),
    seconds,
  };
  /** At 100 % stable gets nothing: what it got before is compared with. */
  const ofStable: Counted =
    phase.weight === 100
      ? { ...during, until: new Date(phase.since), seconds: Math.ceil(phase.beforeMs / 1000) }
      : during;
  const { within } = config.latency;
  const known = once(() => withSamples(metrics, during, phase.settleMs));
  const knownOfStable = once(() =>
    ofStable === during ? known() : withSamples(metrics, ofStable, phase.settleMs),
  );
  const standard = once(async () =>
    countRequests(metrics, await known(), [canary, stable], within),
  );
  const compared = once(async () =>
    ofStable === during
      ? standard()
      : countRequests(metrics, await knownOfStable(), [stable], within),
  );
  return Promise.all(
    wanted.map(async (gate) => {
      try {
        const query = config.queries.find(({ name }) => name === gate.name);
        if (query) {
          const [own, other] = await Promise.all([
            countQuery(metrics, query, await known(), canary),
            countQuery(metrics, query, await knownOfStable(), stable),
          ]);
          return reading(gate, { counts: { canary: own, stable: other } });
        }
        const [now, before] = await Promise.all([standard(), compared()]);
        const none = { failed: nothing.canary, slow: nothing.canary };
        const [own, other, same] = [
          now[canary] ?? none,
          before[stable] ?? none,
          now[stable] ?? none,
        ];
        if (gate.kind === "share") {
          // Each pod is read at its own time: in a short while, not the same stretch of all is counted.
          if ((await known()).seconds * 1000 < phase.settleMs)
            return reading(gate, { counts: nothing });
          return reading(gate, { counts: shareCounts(own.failed, same.failed) });
        }
        const of = gate.name === "latency" ? "slow" : "failed";
        return reading(gate, { counts: { canary: own[of], stable: other[of] } });
      } catch (error) {
        return reading(gate, { counts: undefined, silent: explain(error) });
      }
    }),
  );
}

/** Runs `action` for the first caller, and gives every caller the same answer. */
function once<T>(action: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => (running ??= action());
}
