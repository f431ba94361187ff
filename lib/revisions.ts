/** Which control planes a cluster has, and which of them injects what. Pure. */

/** Istio's name for the control plane without a revision, and for the tag that takes over what it injects. */
export const DEFAULT_REVISION = "default";

/**
 * Label of namespaces, pods, istiods and webhooks that names a revision, or, of namespaces, a tag; and annotation of pods
 * with the revision that their proxy follows.
 */
export const REVISION_LABEL = "istio.io/rev";

/** Label of a webhook that says which tag it stands for. */
export const TAG_LABEL = "istio.io/tag";

/**
 * Annotation of the pods' template with the revision that injects them, unless that is `default`: what injects pods is
 * not in their template, so nothing else would have a Deployment replace them.
 */
export const INJECTED_BY = "istio-canary/revision";

/** A control plane. */
export interface Revision {
  readonly name: string;
  readonly version: string;
}

/** Something that is so in some clusters. */
interface InClusters {
  /** @default all */
  readonly clusters?: readonly string[] | undefined;
}

/** A tag stands for a revision. */
interface Tag extends InClusters {
  readonly name: string;
  readonly revision: string;
}

/** Which revision or tag a namespace's pods have. */
export interface NamespaceRevision extends InClusters {
  readonly namespace: string;
  readonly revision: string;
}

/** What a configuration says of control planes. */
export interface ConfiguredRevisions {
  readonly istioVersion: string;
  /** @default the one without a revision, of `istioVersion` */
  readonly revisions?:
    | readonly (InClusters & { readonly name: string; readonly version?: string | undefined })[]
    | undefined;
  /** @default none */
  readonly tags?: readonly Tag[] | undefined;
}

/** Tags by name: the revision that each stands for. */
export type Tags = Readonly<Record<string, string>>;

/** Whether an entry is about a cluster. */
export function isIn({ clusters }: InClusters, cluster: string): boolean {
  return clusters?.includes(cluster) ?? true;
}

/** The control planes that a cluster is to have. */
export function revisionsIn(
  { istioVersion, revisions }: ConfiguredRevisions,
  cluster: string,
): readonly Revision[] {
  return (revisions ?? [{ name: DEFAULT_REVISION }])
    .filter((each) => isIn(each, cluster))
    .map(({ name, version = istioVersion }) => ({ name, version }));
}

/** The versions of all control planes, each once. */
export function versionsOf({ istioVersion, revisions }: ConfiguredRevisions): readonly string[] {
  return [...new Set(revisions?.map(({ version = istioVersion }) => version) ?? [istioVersion])];
}

/** The tags that a cluster is to have. */
export function tagsIn({ tags = [] }: Pick<ConfiguredRevisions, "tags">, cluster: string): Tags {
  return Object.fromEntries(
    tags.filter((each) => isIn(each, cluster)).map(({ name, revision }) => [name, revision]),
  );
}

/** The revision or tag that a namespace is to be labelled with. */
export function labelledWith(
  dataPlane: readonly NamespaceRevision[],
  cluster: string,
  namespace: string,
): string {
  const own = dataPlane.find((each) => each.namespace === namespace && isIn(each, cluster));
  return own?.revision ?? DEFAULT_REVISION;
}

/** The revision that a revision or tag stands for. */
export function revisionOf(name: string, tags: Tags = {}): string {
  return tags[name] ?? name;
}

/** The label by which a namespace's pods get the sidecar of a revision or tag. */
export function injectionLabel(name: string): Readonly<Record<string, string>> {
  return name === DEFAULT_REVISION ? { "istio-injection": "enabled" } : { [REVISION_LABEL]: name };
}

/** Names of a control plane's objects end with its revision. */
export function suffixOf(revision: string): string {
  return revision === DEFAULT_REVISION ? "" : `-${revision}`;
}

/** Major and minor version as one number; undefined for what is no version. */
function minorOf(version: string): number | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  return major === undefined ? undefined : Number(major) * 1000 + Number(minor);
}

/** Whether Istio supports the way between two versions, or two control planes of them side by side. */
export function isOneStep(one: string, other: string): boolean {
  const [from, to] = [minorOf(one), minorOf(other)];
  return from === undefined || to === undefined || Math.abs(from - to) <= 1;
}

/** The newest of versions, as `1.31.2`. */
export function newestOf(versions: readonly string[]): string | undefined {
  const compare = new Intl.Collator("en", { numeric: true });
  return versions.toSorted((one, other) => compare.compare(one, other)).at(-1);
}
