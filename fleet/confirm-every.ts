import type { V1Pod } from "@kubernetes/client-node";
import { ASK_ENVOYS } from "../lib/ask-envoys.ts";
import { until } from "../lib/until.ts";
import { everyone, type WhoCounts } from "../lib/who-counts.ts";
import { within } from "../lib/within.ts";
import { Fleet, type Confirmation, type Round } from "./ask-fleet.ts";
import { Behind } from "./ask-pods.ts";
import { hasReadyProxy, type ClusterClient } from "./cluster-client.ts";
import { lateTexts, leftOutText, notEnough, strangeRevisions } from "./enough.ts";
import { explain, isTransient, Transient } from "./explain.ts";
import { proxyIdentity } from "./proxy-pod.ts";

/** What the Envoys of a cluster have confirmed. */
export interface Confirmed<T> {
  /** What those have shown that were asked themselves, and are there. */
  readonly values: readonly T[];
  /** How many others have acknowledged it to their istiod. */
  readonly acknowledged: number;
  /** Who was left out, in words. @default nobody */
  readonly leftOut?: string | undefined;
}

/** How long a confirmation waits, and whom it asks. */
export interface ConfirmOptions {
  /** In milliseconds; the last round may add what two lists of the pods and one answer take. */
  readonly timeoutMs: number;
  /** Envoys that are asked themselves. @default ASK_ENVOYS */
  readonly askEnvoys?: number | undefined;
  /** Who must confirm. @default everyone */
  readonly who?: WhoCounts | undefined;
  /** Ends the wait early. @default nothing does */
  readonly signal?: AbortSignal | undefined;
}

/** Time limit of one proxy's answer, in milliseconds, where the wait is long enough for several rounds. */
const ANSWER_WITHIN_MS = 10_000;
/** How long istiods may at least take to send a change to thousands of proxies, in milliseconds. */
const PATIENCE_MS = 5_000;
/** The same as a part of the whole wait: whoever makes it longer has more proxies, or slower istiods. */
const PATIENCE_PART = 6;
/** Rounds that even proxies which do not answer leave time for. */
const ROUNDS = 3;

/**
 * Waits until every proxy of a cluster has confirmed. Those that have are remembered, so that the wait
 * ends in a cluster whose pods are replaced all the time: only the others and new ones are asked again.
 *
 * This is as safe as to ask all of them in one moment. An Envoy keeps what it has until its istiod sends
 * something else, and the API server has nothing older to send. An Envoy that moves to an istiod that lags
 * may fall back for a moment, but so it may after a moment in which all were right. Only a proxy that restarts
 * begins from nothing: it counts as new. One that lacks a route yet is asked again.
 *
 * Where a percentage is enough, all have the same time: those that have not confirmed by its end are left out, if they
 * are few enough.
 *
 * @param what the condition, as it completes "timed out after 5 s waiting for …"
 * @param services names of what each proxy is asked for, in the order of `holds`
 * @param ask gives what a proxy has
 * @returns what the proxies that are there have confirmed
 * @throws naming those whose `ask` throws Behind, or that do not answer
 */
export async function confirmEvery<T>(
  cluster: ClusterClient,
  what: string,
  services: readonly string[],
  ask: (pod: V1Pod) => Promise<Confirmation<T>>,
  { timeoutMs, askEnvoys = ASK_ENVOYS, who = everyone, signal }: ConfirmOptions,
): Promise<Confirmed<T>> {
  const patienceMs = Math.max(PATIENCE_MS, timeoutMs / PATIENCE_PART);
  const answerWithinMs = Math.min(ANSWER_WITHIN_MS, timeoutMs / ROUNDS);
  // Ready or not, an Envoy that is known to be behind sends requests all the same.
  const behind = new Set<string>();
  const list = async () => {
    try {
      const pods = await cluster.podsWithProxy();
      return pods.filter((pod) => hasReadyProxy(pod) || behind.has(proxyIdentity(pod)));
    } catch (error) {
      throw new Error(`its pods cannot be listed (${explain(error)})`, { cause: error });
    }
  };
  const options = { kind: "route", askEnvoys, who, patienceMs } as const;
  const fleet = new Fleet(cluster, options, async (pod): Promise<Confirmation<T>> => {
    const proxy = proxyIdentity(pod);
    try {
      const shown = await within(
        answerWithinMs,
        ask(pod),
        `no answer within ${(answerWithinMs / 1000).toFixed(1)} s`,
      );
      behind.delete(proxy);
      return shown;
    } catch (error) {
      if (error instanceof Behind) behind.add(proxy);
      throw error;
    }
  });
  let last: Round<T> | undefined;
  const result = (round: Round<T>): Confirmed<T> => {
    const leftOut = leftOutText(round, who.percent);
    const { confirmations, acknowledged } = round;
    const values = confirmations.map(({ value }) => value);
    return { values, acknowledged, ...(leftOut !== undefined && { leftOut }) };
  };
  try {
    return await until(
      what,
      async () => {
        last = undefined;
        const round = await fleet.round(list);
        last = round;
        const texts = lateTexts(round, services);
        if (texts.length === 0) return result(round);
        const { pending, silent } = round;
        const mayHeal = pending.length === 0 && silent.every(({ error }) => isTransient(error));
        throw mayHeal ? new Transient(texts.join(", ")) : new Error(texts.join(", "));
      },
      { timeoutMs, ...(signal && { signal }) },
    );
  } catch (error) {
    if (!last || signal?.aborted) throw error;
    const objection = notEnough(last, services, who.percent);
    if (objection === undefined) return result(last);
    const more = [
      ...(who.percent < 100 ? [objection] : []),
      ...(await strangeRevisions(cluster, last)),
    ];
    if (more.length === 0 || !(error instanceof Error)) throw error;
    throw new Error([error.message, ...more].join("; "), { cause: error });
  }
}
