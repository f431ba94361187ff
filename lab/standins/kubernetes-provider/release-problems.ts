import { setTimeout as delay } from "node:timers/promises";
import type { KubernetesClient } from "./client.ts";
import { podProblems, readable } from "./pod-problems.ts";
import { readiness } from "./readiness.ts";
import { idOf, referenceTo } from "./objects.ts";
import { textAt, type Fields } from "./values.ts";

const WORKLOADS = [
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "apps/v1", kind: "StatefulSet" },
  { apiVersion: "apps/v1", kind: "DaemonSet" },
  { apiVersion: "batch/v1", kind: "Job" },
  { apiVersion: "v1", kind: "Service" },
];

/** Why a release is not ready: the objects that helm marks as its own and that wait, with their pods. */
export async function releaseProblems(
  client: KubernetesClient,
  namespace: string,
  release: string,
): Promise<string[]> {
  const lines: string[] = [];
  for (const kind of WORKLOADS) {
    for (const item of (await readable(client.list({ ...kind, namespace }))) ?? []) {
      // Items of a list do not name their kind.
      const object: Fields = { ...item, ...kind };
      const owner = textAt(object, "metadata", "annotations", "meta.helm.sh/release-name");
      const found = readiness(object);
      if (owner !== release || found.state === "ready") continue;
      lines.push(`${kind.kind} ${idOf(referenceTo(object))}: ${found.reason}`);
      if (kind.kind !== "Service") lines.push(...(await podProblems(client, object)));
    }
  }
  return lines;
}

/** How often a release is looked at while helm works on it, in milliseconds. */
const LOOK_EVERY = 3_000;

/**
 * Looks at a release while helm works on it, because helm says nothing until it ends, and may have
 * taken back by then what failed. Gives the last problems seen once helm has ended.
 *
 * @param running helm's run; how it ends is the caller's business
 * @param tell told the problems whenever they change
 */
export async function problemsDuring(
  running: Promise<unknown>,
  look: () => Promise<string[]>,
  tell: (problems: readonly string[]) => void,
): Promise<readonly string[]> {
  const ended = new AbortController();
  const end = () => {
    ended.abort();
  };
  running.then(end, end);
  let last: readonly string[] = [];
  for (;;) {
    await Promise.race([delay(LOOK_EVERY), running.catch(() => undefined)]);
    if (ended.signal.aborted) return last;
    const now = await look();
    if (now.length > 0 && now.join() !== last.join()) tell(now);
    // Once helm takes things back there is nothing to see; what was seen before is the reason.
    if (now.length > 0) last = now;
  }
}
