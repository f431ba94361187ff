/** Why the pods of a workload are not ready, in words that say what to look at. */
import type { KubernetesClient } from "./client.ts";
import { ApiError } from "./client.ts";
import { referenceTo } from "./objects.ts";
import { at, fieldsAt, listAt, textAt, type Fields, type Value } from "./values.ts";

/** Pods that are described at most; the others of a workload mostly fail for the same reason. */
const MOST_PODS = 3;

interface ContainerProblem {
  readonly container: string;
  readonly reason: string;
  /** The container has ended before, so that the log of its last run tells why. */
  readonly crashed: boolean;
}

function containerProblem(container: Value): ContainerProblem | undefined {
  const name = textAt(container, "name") ?? "";
  const restarts = at(container, "restartCount");
  const crashed = typeof restarts === "number" && restarts > 0;
  const waiting = fieldsAt(container, "state", "waiting");
  const ended = fieldsAt(container, "state", "terminated");
  const reason = textAt(waiting, "reason");
  if (reason !== undefined && reason !== "PodInitializing" && reason !== "ContainerCreating") {
    const message = textAt(waiting, "message");
    const code = at(container, "lastState", "terminated", "exitCode");
    const exit = typeof code === "number" ? ` (last exit code ${code})` : "";
    return { container: name, reason: `${reason}${exit}${message ? `: ${message}` : ""}`, crashed };
  }
  const code = at(ended, "exitCode");
  if (typeof code === "number" && code !== 0) {
    const why = textAt(ended, "reason") ?? "Error";
    return { container: name, reason: `${why}, exit code ${code}`, crashed: false };
  }
  return undefined;
}

/** What keeps a pod from being ready, or undefined if nothing does. */
export function podProblem(
  pod: Fields,
): { readonly reason: string; readonly container?: ContainerProblem } | undefined {
  const status = fieldsAt(pod, "status");
  if (textAt(status, "phase") === "Succeeded") return undefined;
  const conditions = new Map(
    listAt(status, "conditions").map((item) => [textAt(item, "type"), fieldsAt(item)]),
  );
  if (conditions.get("Ready")?.["status"] === "True") return undefined;
  const scheduled = conditions.get("PodScheduled");
  if (scheduled?.["status"] === "False") {
    const message = textAt(scheduled, "message") ?? "";
    return { reason: `${textAt(scheduled, "reason") ?? "Unschedulable"}: ${message}` };
  }
  const containers = ["initContainerStatuses", "containerStatuses"].flatMap((key) =>
    listAt(status, key),
  );
  for (const item of containers) {
    const problem = containerProblem(item);
    if (problem) {
      return {
        reason: `container "${problem.container}": ${problem.reason}`,
        container: problem,
      };
    }
  }
  if (textAt(status, "phase") === "Failed") {
    return {
      reason: `${textAt(status, "reason") ?? "Failed"}: ${textAt(status, "message") ?? ""}`,
    };
  }
  const notReady = containers.filter((item) => at(item, "ready") === false);
  if (notReady.length === 0) {
    const node = textAt(pod, "spec", "nodeName");
    return { reason: node ? `no container has started on ${node} yet` : "not on any node yet" };
  }
  const names = notReady.map((item) => `"${textAt(item, "name") ?? ""}"`).join(", ");
  return { reason: `container ${names} is not ready` };
}

/** A workload's pod selector in the notation of a list request. */
export function selectorOf(workload: Fields): string {
  const selector = fieldsAt(workload, "spec", "selector");
  // A Service selects by its labels directly.
  const labels = "matchLabels" in selector ? fieldsAt(selector, "matchLabels") : selector;
  return Object.entries(labels)
    .flatMap(([key, value]) => (typeof value === "string" ? `${key}=${value}` : []))
    .join(",");
}

/**
 * One line for each pod of a workload that is not ready: its name, the reason, its last warning and
 * the last line it has logged. What cannot be read is left out: this explains an error, it is not one.
 */
export async function podProblems(client: KubernetesClient, workload: Fields): Promise<string[]> {
  const { namespace, name } = referenceTo(workload);
  const labelSelector = selectorOf(workload);
  if (labelSelector === "") return [];
  const pods = await readable(
    client.list({ apiVersion: "v1", kind: "Pod", namespace }, { labelSelector }),
  );
  const unready = (pods ?? []).filter((pod) => podProblem(pod) !== undefined);
  const newest = unready.sort((a, b) =>
    (textAt(b, "metadata", "creationTimestamp") ?? "").localeCompare(
      textAt(a, "metadata", "creationTimestamp") ?? "",
    ),
  );
  const lines = await Promise.all(
    newest.slice(0, MOST_PODS).map((pod) => describePod(client, namespace, pod)),
  );
  if (unready.length > MOST_PODS) lines.push(`and ${unready.length - MOST_PODS} more pods`);
  if (pods?.length === 0) {
    const event = await lastWarning(client, namespace, name);
    lines.push(event ? `no pods: ${event}` : "no pods have been created");
  }
  return lines;
}

async function describePod(
  client: KubernetesClient,
  namespace: string,
  pod: Fields,
): Promise<string> {
  const name = textAt(pod, "metadata", "name") ?? "";
  const problem = podProblem(pod);
  const container = problem?.container;
  const event = await lastWarning(client, namespace, name);
  const log =
    container &&
    (await readable(
      client.text(`/api/v1/namespaces/${namespace}/pods/${name}/log`, {
        container: container.container,
        tailLines: "1",
        previous: container.crashed ? "true" : undefined,
      }),
    ));
  return [
    `pod ${name}: ${problem?.reason ?? "not ready"}`,
    ...(event ? [`last warning: ${event}`] : []),
    ...(log?.trim() ? [`last log line: ${log.trim()}`] : []),
  ].join("; ");
}

async function lastWarning(
  client: KubernetesClient,
  namespace: string,
  name: string,
): Promise<string | undefined> {
  const events = await readable(
    client.list(
      { apiVersion: "v1", kind: "Event", namespace },
      { fieldSelector: `involvedObject.name=${name},type=Warning` },
    ),
  );
  const time = (event: Fields) =>
    textAt(event, "lastTimestamp") ??
    textAt(event, "eventTime") ??
    textAt(event, "metadata", "creationTimestamp") ??
    "";
  const last = (events ?? []).sort((a, b) => time(a).localeCompare(time(b))).at(-1);
  return last && `${textAt(last, "reason") ?? ""}: ${textAt(last, "message") ?? ""}`;
}

/** The answer, or undefined where the API refuses it (no right to read logs, a container without one). */
export async function readable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}
