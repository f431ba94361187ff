import type { V1Pod } from "@kubernetes/client-node";
import { ZodError } from "zod";
import { ASK_ENVOYS } from "../lib/ask-envoys.ts";
import { until } from "../lib/until.ts";
import { within } from "../lib/within.ts";
import { Fleet, type Confirmation } from "./ask-fleet.ts";
import { Behind, type SilentPod } from "./ask-pods.ts";
import { hasReadyProxy, podKey, type ClusterClient } from "./cluster-client.ts";
import { explain, isTransient, Transient } from "./explain.ts";
import { proxyIdentity } from "./proxy-pod.ts";

/** What the Envoys of a cluster have confirmed. */
export interface Confirmed<T> {
  /** What those have shown that were asked themselves, and are there. */
  readonly values: readonly T[];
  /** How many others have acknowledged it to their istiod. */
  readonly acknowledged: number;
}

/** How long a confirmation waits, and whom it asks. */
export interface ConfirmOptions {
  /** In milliseconds; the last round may add what two lists of the pods and one answer take. */
  readonly timeoutMs: number;
  /** Envoys that are asked themselves. @default ASK_ENVOYS */
  readonly askEnvoys?: number | undefined;
}

/** Proxies of one kind that an error names at most. */
const NAMED = 20;

/** Time limit of one proxy's answer, in milliseconds, where the wait is long enough for several rounds. */
const ANSWER_WITHIN_MS = 10_000;
/** How long istiods may take to send a change to thousands of proxies, in milliseconds. */
const PATIENCE_MS = 5_000;
/** Rounds that even proxies which do not answer leave time for. */
const ROUNDS = 3;

function nameOf(pod: V1Pod): string {
  const { namespace, name } = podKey(pod);
  return `${namespace}/${name}`;
}

/** The first NAMED of them, and how many more there are. */
function named(texts: readonly string[]): readonly string[] {
  const more = texts.length - NAMED;
  const first = [...texts].sort().slice(0, NAMED);
  return more > 0 ? [...first, `and so ${more} more`] : first;
}

function lateText({ pod, error }: SilentPod): string {
  if (error instanceof Behind) return `${nameOf(pod)} ${error.message}`;
  const what =
    error instanceof ZodError ? "gives an answer that cannot be parsed" : "does not answer";
  return `${nameOf(pod)} ${what} (${explain(error)})`;
}

/**
 * Waits until every proxy of a cluster has confirmed. Those that have are remembered, so that the wait
 * ends in a cluster whose pods are replaced all the time: only the others and new ones are asked again.
 *
 * This is as safe as to ask all of them in one moment. An Envoy keeps what it has until its istiod sends
 * something else, and the API server has nothing older to send. An Envoy that moves to an istiod that lags
 * may fall back for a moment, but so it may after a moment in which all were right. Only a proxy that restarts
 * begins from nothing: it counts as new. One that lacks a route yet is asked again.
 *
 * @param what the condition, as it completes "timed out after 5 s waiting for …"
 * @param ask gives what a proxy has
 * @returns what the proxies that are there have confirmed
 * @throws naming those whose `ask` throws Behind, or that do not answer
 */
export async function confirmEvery<T>(
  cluster: ClusterClient,
  what: string,
  ask: (pod: V1Pod) => Promise<Confirmation<T>>,
  { timeoutMs, askEnvoys = ASK_ENVOYS }: ConfirmOptions,
): Promise<Confirmed<T>> {
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
  const options = { kind: "route", askEnvoys, patienceMs: PATIENCE_MS } as const;
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
  return until(
    what,
    async () => {
      const { values, silent, acknowledged, pending, unknown, silentIstiods } =
        await fleet.round(list);
      const late = [
        ...named(silent.map(lateText)),
        ...named(pending.map((pod) => `${nameOf(pod)} has not acknowledged what istiod has sent`)),
        ...named(unknown.map((pod) => `${nameOf(pod)} is not known to have it`)),
      ];
      if (late.length > 0) {
        const text = [...late, ...silentIstiods.map((why) => `istiod tells nothing (${why})`)];
        const mayHeal = pending.length === 0 && silent.every(({ error }) => isTransient(error));
        throw mayHeal ? new Transient(text.join(", ")) : new Error(text.join(", "));
      }
      return { values, acknowledged };
    },
    { timeoutMs },
  );
}
