import type { V1Pod } from "@kubernetes/client-node";
import { ZodError } from "zod";
import { DEFAULT_REVISION, REVISION_LABEL } from "../lib/revisions.ts";
import { mayMiss } from "../lib/who-counts.ts";
import type { Round } from "./ask-fleet.ts";
import { Behind, type SilentPod } from "./ask-pods.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { explain } from "./explain.ts";
import { istiodPods } from "./istiod-pods.ts";
import { isSidecar } from "./proxy-pod.ts";

/** Proxies of one kind that a text names at most. */
const NAMED = 20;

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

function silentText({ pod, error }: SilentPod): string {
  if (error instanceof Behind) return `${nameOf(pod)} ${error.message}`;
  const what =
    error instanceof ZodError ? "gives an answer that cannot be parsed" : "does not answer";
  return `${nameOf(pod)} ${what} (${explain(error)})`;
}

type Late = Pick<Round<unknown>, "silent" | "pending" | "unknown">;

/** Those that have not confirmed. */
function lateIn({ silent, pending, unknown }: Late): readonly V1Pod[] {
  return [...silent.map(({ pod }) => pod), ...pending, ...unknown];
}

/** Why each of them has not. */
function whyIn({ silent, pending, unknown }: Late): readonly string[] {
  return [
    ...named(silent.map(silentText)),
    ...named(pending.map((pod) => `${nameOf(pod)} has not acknowledged what istiod has sent`)),
    ...named(unknown.map((pod) => `${nameOf(pod)} is not known to have it`)),
  ];
}

/** For each service whether an Envoy that was asked has shown that it has what it must have of it. */
function isShown({ confirmations }: Round<unknown>, service: number): boolean {
  return confirmations.some(({ holds }) => holds[service]);
}

/** What a confirmation of all waits for, in words: nothing if the round has confirmed it. */
export function lateTexts(round: Round<unknown>, services: readonly string[]): readonly string[] {
  const { lost, silentIstiods } = round;
  const late = whyIn(round);
  if (late.length > 0) {
    return [...late, ...silentIstiods.map((why) => `istiod tells nothing (${why})`)];
  }
  if (lost.length === 0) return [];
  // Nobody knows what those on lost nodes route to: they may be all that a service has here.
  const unseen = services.filter((_, i) => !isShown(round, i));
  return unseen.length === 0
    ? []
    : [
        `no Envoy that answers has routes of ${named(unseen).join(", ")}, and ${named(lost.map(nameOf)).join(", ")} on lost nodes may have`,
      ];
}

/** Those of a round that have confirmed: what concerns a proxy in nothing proves nothing. */
function confirmedIn({ confirmations, acknowledged }: Round<unknown>): number {
  return confirmations.filter(({ holds }) => holds.some(Boolean)).length + acknowledged;
}

/**
 * Why those that have not confirmed may not be left out; undefined where they may. So many must have confirmed as the
 * percentage wants, all gateways, and for each service at least one that was asked and routes to it. So no cluster is
 * left as it was, however few of its proxies a service has.
 */
export function notEnough(
  round: Round<unknown>,
  services: readonly string[],
  percent: number,
): string | undefined {
  const late = lateIn(round);
  const gateways = late.filter((pod) => !isSidecar(pod));
  if (gateways.length > 0) {
    return `every gateway must confirm, and ${named(gateways.map(nameOf)).join(", ")} has not`;
  }
  const counted = confirmedIn(round) + late.length;
  if (late.length > mayMiss(percent, counted)) {
    return `${percent} % must confirm, and ${late.length} of ${counted} have not`;
  }
  const unseen = services.filter((_, i) => !isShown(round, i));
  return unseen.length === 0
    ? undefined
    : `no Envoy that was asked has routes of ${named(unseen).join(", ")}`;
}

/**
 * Those that do not count, in words.
 *
 * @param excluded how many the configuration excludes
 */
export function notCounted(lost: readonly V1Pod[], excluded: number): readonly string[] {
  return [
    ...(lost.length > 0
      ? [`${lost.length} on lost nodes (${named(lost.map(nameOf)).join(", ")})`]
      : []),
    ...(excluded > 0 ? [`${excluded} that safety.exclude names`] : []),
  ];
}

/** Who has not confirmed, or was not asked; undefined where that is nobody. */
export function leftOutText(round: Round<unknown>, percent: number): string | undefined {
  const { lost, excluded } = round;
  const late = lateIn(round).length;
  const texts = [
    ...(late > 0
      ? [
          `${late} of ${confirmedIn(round) + late} that have not confirmed, where ${percent} % are enough (${whyIn(round).join(", ")})`,
        ]
      : []),
    ...notCounted(lost, excluded),
  ];
  return texts.length === 0 ? undefined : texts.join("; ");
}

/**
 * Which of those that have not confirmed follow no istiod of this mesh, in words: of another mesh, or of a revision that
 * was removed. They count like any other, since they may route to the services.
 *
 * @returns nothing where there are none
 */
export async function strangeRevisions(
  cluster: ClusterClient,
  round: Late,
): Promise<readonly string[]> {
  const late = lateIn(round).flatMap((pod) => {
    const revision = pod.metadata?.annotations?.[REVISION_LABEL];
    return revision === undefined ? [] : [{ pod, revision }];
  });
  if (late.length === 0) return [];
  const istiods = await istiodPods(cluster).catch(() => []);
  const here = new Set(
    istiods.map(({ metadata }) => metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION),
  );
  const strange = here.size === 0 ? [] : late.filter(({ revision }) => !here.has(revision));
  if (strange.length === 0) return [];
  const revisions = [...new Set(strange.map(({ revision }) => revision))].sort();
  const pods = named(strange.map(({ pod }) => nameOf(pod))).join(", ");
  return [
    `${pods} follow revision ${revisions.join(", ")}, of which no istiod is in istio-system: restart them, or leave them out with safety.exclude if they are of another mesh`,
  ];
}
