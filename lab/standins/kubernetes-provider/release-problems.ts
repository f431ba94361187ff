import type { KubernetesClient } from "./client.ts";
import { podProblems } from "./pod-problems.ts";
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
    for (const item of await client.list({ ...kind, namespace })) {
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
