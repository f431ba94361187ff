import type { V1Pod } from "@kubernetes/client-node";
import pMap from "p-map";
import { podIdentity } from "./proxy-pod.ts";

/**
 * Pods of a cluster that are asked at a time: each takes a connection through the API server and its kubelet. More at
 * once make none of them answer sooner.
 */
const AT_ONCE = 32;

/** What an Envoy has instead of what it must have, as it completes "user/client …": `serves 10 %`. */
export class Behind extends Error {}

/** A pod that is there but has not answered, and why. */
export interface SilentPod {
  readonly pod: V1Pod;
  readonly error: unknown;
}

/** What the pods have said. */
export interface PodAnswers<T> {
  readonly answers: readonly T[];
  readonly silent: readonly SilentPod[];
}

/** Whether a pod is still in the current list. */
export async function isListed(list: () => Promise<readonly V1Pod[]>, pod: V1Pod) {
  return (await list()).some((each) => podIdentity(each) === podIdentity(pod));
}

/**
 * Asks all pods of a list, AT_ONCE at a time. Pods come and go while they are asked: one that does not answer and
 * is no longer on the list is left out.
 *
 * @param list gives the pods as they are now
 * @param ask a time limit of its own begins when it is called: pods that wait for their turn use none of it
 * @throws if the list cannot be read
 */
export async function askPods<T>(
  list: () => Promise<readonly V1Pod[]>,
  ask: (pod: V1Pod) => Promise<T>,
): Promise<PodAnswers<T>> {
  const answers: T[] = [];
  const silent: SilentPod[] = [];
  const results = await pMap(
    await list(),
    async (pod) => {
      try {
        return { answer: await ask(pod) };
      } catch (error) {
        return { pod, error };
      }
    },
    { concurrency: AT_ONCE },
  );
  for (const result of results) {
    if ("answer" in result) answers.push(result.answer);
    else silent.push(result);
  }
  // One that is behind has answered.
  if (silent.every(({ error }) => error instanceof Behind)) return { answers, silent };
  const there = new Set((await list()).map(podIdentity));
  return { answers, silent: silent.filter(({ pod }) => there.has(podIdentity(pod))) };
}

/**
 * The answers of all pods of a list that are there.
 *
 * @throws the error of the first one that is there and does not answer
 */
export async function answersOf<T>(
  list: () => Promise<readonly V1Pod[]>,
  ask: (pod: V1Pod) => Promise<T>,
): Promise<readonly T[]> {
  const { answers, silent } = await askPods(list, ask);
  const [first] = silent;
  if (first) throw first.error;
  return answers;
}
