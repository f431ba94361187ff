import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import type { ClusterClient } from "./cluster-client.ts";

/** An object as its API server has it, beside fields of its own. */
export type LiveObject = KubernetesObject & Readonly<Record<string, unknown>>;

/** What an object is found by. */
export interface ObjectPlace {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** How labels and annotations begin that this program and Pulumi have written. */
const MARKS = /^(istio-canary|pulumi\.com)\//;

type Texts = Readonly<Record<string, string>>;

function marksOf(all: Texts = {}): Texts {
  return Object.fromEntries(Object.entries(all).filter(([name]) => MARKS.test(name)));
}

/** The texts without what this program and Pulumi have written. */
export function unmarked(all: Texts = {}): Texts {
  return Object.fromEntries(Object.entries(all).filter(([name]) => !MARKS.test(name)));
}

/** @throws if it is not there */
export async function readObject(
  cluster: ClusterClient,
  { apiVersion, kind, name, namespace }: ObjectPlace,
): Promise<LiveObject> {
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  return cluster.objects.read<LiveObject>({ apiVersion, kind, metadata });
}

async function patch(
  cluster: ClusterClient,
  { apiVersion, kind, name, namespace }: ObjectPlace,
  metadata: object,
  dryRun: boolean,
): Promise<void> {
  await cluster.objects.patch(
    {
      apiVersion,
      kind,
      metadata: { name, ...(namespace !== undefined && { namespace }), ...metadata },
    },
    undefined,
    dryRun ? "All" : undefined,
    undefined,
    undefined,
    PatchStrategy.MergePatch,
  );
}

/**
 * Takes off an object by what this program and Pulumi know it as theirs: labels, annotations, and who owns its fields. The
 * spec stays, and so does what requests meet.
 *
 * @param dryRun whether the API server only says what it would. @default false
 */
export async function unmark(
  cluster: ClusterClient,
  place: ObjectPlace,
  live: LiveObject,
  dryRun = false,
): Promise<void> {
  const gone = (marks: Texts) =>
    Object.fromEntries(Object.keys(marks).map((name) => [name, null] as const));
  const { labels, annotations } = live.metadata ?? {};
  await patch(
    cluster,
    place,
    {
      labels: gone(marksOf(labels)),
      annotations: gone(marksOf(annotations)),
      // Stands for none. (Kubernetes: server-side apply, clearing managedFields)
      managedFields: [{}],
    },
    dryRun,
  );
}

/** Puts the labels and annotations on again that an object had. */
export async function markAgain(
  cluster: ClusterClient,
  place: ObjectPlace,
  live: LiveObject,
): Promise<void> {
  const { labels, annotations } = live.metadata ?? {};
  await patch(
    cluster,
    place,
    { labels: marksOf(labels), annotations: marksOf(annotations) },
    false,
  );
}
