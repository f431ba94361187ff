import type { V1Pod } from "@kubernetes/client-node";
import { ZodError } from "zod";
import { until } from "../lib/until.ts";
import { within } from "../lib/within.ts";
import { askPods, proxyIdentity, type SilentPod } from "./ask-pods.ts";
import { hasReadyProxy, podKey, type ClusterClient } from "./cluster-client.ts";
import { explain, isTransient, Transient } from "./explain.ts";

/** What an Envoy has instead of what it must have, as it completes "user/client …": `serves 10 %`. */
export class Behind extends Error {}

/** What an Envoy has confirmed. */
export interface Confirmation<T> {
  readonly value: T;
  /** Whether all that it was asked about concerns it. Else it may yet get what does, and is asked again. */
  readonly whole: boolean;
}

/** Time limit of one proxy's answer, in milliseconds, where the wait is long enough for several rounds. */
const ANSWER_WITHIN_MS = 10_000;
/** Rounds that even proxies which do not answer leave time for. */
const ROUNDS = 3;

/** A proxy that has answered, and is behind. */
interface Lagging {
  readonly pod: V1Pod;
  readonly error: Behind;
}

function lateText({ pod, error }: SilentPod): string {
  const { namespace, name } = podKey(pod);
  if (error instanceof Behind) return `${namespace}/${name} ${error.message}`;
  const what =
    error instanceof ZodError ? "gives an answer that cannot be parsed" : "does not answer";
  return `${namespace}/${name} ${what} (${explain(error)})`;
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
 * @param timeoutMs in milliseconds; the last round may add what two lists of the pods and one answer take
 * @returns what the proxies that are there have confirmed
 * @throws naming those whose `ask` throws Behind, or that do not answer
 */
export async function confirmEvery<T>(
  cluster: ClusterClient,
  what: string,
  ask: (pod: V1Pod) => Promise<Confirmation<T>>,
  timeoutMs: number,
): Promise<readonly T[]> {
  const confirmed = new Map<string, T>();
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
  return until(
    what,
    async () => {
      const lagging: Lagging[] = [];
      const { answers, silent } = await askPods(list, async (pod) => {
        const proxy = proxyIdentity(pod);
        try {
          const known = confirmed.get(proxy);
          if (known !== undefined) return known;
          const { value, whole } = await within(
            answerWithinMs,
            ask(pod),
            `no answer within ${(answerWithinMs / 1000).toFixed(1)} s`,
          );
          if (whole) confirmed.set(proxy, value);
          behind.delete(proxy);
          return value;
        } catch (error) {
          if (!(error instanceof Behind)) throw error;
          behind.add(proxy);
          lagging.push({ pod, error });
          return undefined;
        }
      });
      const late = [...lagging, ...silent];
      if (late.length > 0) {
        const text = late.map(lateText).sort().join(", ");
        throw late.every(({ error }) => isTransient(error)) ? new Transient(text) : new Error(text);
      }
      return answers.filter((answer) => answer !== undefined);
    },
    { timeoutMs },
  );
}
