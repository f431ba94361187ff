import type { V1Pod } from "@kubernetes/client-node";
import { until } from "../lib/until.ts";
import { askPods, proxyIdentity, type SilentPod } from "./ask-pods.ts";
import { podKey, type MeshCluster } from "./cluster.ts";
import { explain } from "./explain.ts";

/** What an Envoy has instead of what it must have, as it completes "user/client …": `serves 10 %`. */
export class Behind extends Error {}

function lateText({ pod, error }: SilentPod): string {
  const { namespace, name } = podKey(pod);
  const why = error instanceof Behind ? error.message : `does not answer (${explain(error)})`;
  return `${namespace}/${name} ${why}`;
}

/**
 * Waits until every proxy of a cluster has confirmed. Those that have are remembered, so that the wait
 * ends in a cluster whose pods are replaced all the time: only the others and new ones are asked again.
 *
 * This is as safe as to ask all of them in one moment. What an Envoy has it keeps until its istiod sends
 * something else, and by now every istiod reads the new rules; only a proxy that starts anew asks from
 * nothing, and counts as new. One that has no route yet has confirmed nothing: it is asked again.
 *
 * @param what the condition, as it completes "timed out after 5 s waiting for …"
 * @param ask gives what a proxy has, or undefined if that does not concern it
 * @param timeoutMs in milliseconds; an Envoy that does not answer may add the bound of one answer
 * @returns what the proxies that are there have confirmed
 * @throws naming those whose `ask` throws Behind, or that do not answer
 */
export async function confirmEvery<T>(
  cluster: MeshCluster,
  what: string,
  ask: (pod: V1Pod) => Promise<T | undefined>,
  timeoutMs: number,
): Promise<readonly T[]> {
  const confirmed = new Map<string, T>();
  return until(
    what,
    async () => {
      const { answers, silent } = await askPods(
        () => cluster.proxies(),
        async (pod) => {
          const proxy = proxyIdentity(pod);
          const answer = confirmed.get(proxy) ?? (await ask(pod));
          if (answer !== undefined) confirmed.set(proxy, answer);
          return answer;
        },
      );
      if (silent.length > 0) throw new Error(silent.map(lateText).sort().join(", "));
      return answers.filter((answer) => answer !== undefined);
    },
    { timeoutMs },
  );
}
