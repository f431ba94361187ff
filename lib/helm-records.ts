/** What Helm's records of a release say of an installation or upgrade that may have been interrupted. Pure. */

/** Helm's record of one revision of a release. It is a Secret, whose labels say all of this. */
export interface HelmRecord {
  readonly namespace: string;
  /** Name of the release. */
  readonly release: string;
  readonly revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-install`, `pending-upgrade`, … */
  readonly status: string;
  /** Name of the Secret. */
  readonly secret: string;
  /** When Helm began, by the API server's clock. */
  readonly since: Date;
}

/** What is to be done before Helm begins. */
export type RecordsVerdict =
  | { readonly kind: "clear" }
  /** Helm may still be at work, until then. */
  | { readonly kind: "wait"; readonly record: HelmRecord; readonly until: Date }
  /** Nobody works on it any more, and Helm goes on from what it was before once the record is gone. */
  | { readonly kind: "interrupted"; readonly record: HelmRecord }
  /** Only a person knows what is right. */
  | { readonly kind: "unclear"; readonly record: HelmRecord };

/**
 * How long a Helm can be at work, in milliseconds: it waits 5 minutes for what it has applied, unless a Release sets
 * `timeout`, which none here does. A provider whose engine was killed may still end it by itself; after this time none does.
 */
export const HELM_WITHIN_MS = 360_000;

/** Whether Helm takes it for a lock: it neither installs nor upgrades. */
export function isPending({ status }: Pick<HelmRecord, "status">): boolean {
  return status.startsWith("pending-");
}

/** A release's newest record. */
export function newest(records: readonly HelmRecord[]): HelmRecord | undefined {
  return records.toSorted((one, other) => other.revision - one.revision)[0];
}

/**
 * @param records all of one release
 * @param operation whether Pulumi is about to create the release, or to update it
 * @param now by the API server's clock
 */
export function judgeRecords(
  records: readonly HelmRecord[],
  operation: "create" | "update",
  now: Date,
): RecordsVerdict {
  const record = newest(records);
  if (!record || (operation === "update" && !isPending(record))) return { kind: "clear" };
  // What goes on afterwards: an installation from nothing, an upgrade from a revision that is complete.
  const resumes =
    operation === "create"
      ? record.status === "pending-install" && records.length === 1
      : records.length > 1;
  if (!resumes) return { kind: "unclear", record };
  const until = new Date(record.since.getTime() + HELM_WITHIN_MS);
  return until > now ? { kind: "wait", record, until } : { kind: "interrupted", record };
}

/** Where a record's Secret is, as kubectl is told it. */
export interface KubectlTarget {
  readonly context: string;
  /** @default the files kubectl reads */
  readonly kubeconfig?: string | undefined;
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that deletes a record. */
export function deleteCommand(
  { context, kubeconfig }: KubectlTarget,
  { namespace, secret }: Pick<HelmRecord, "namespace" | "secret">,
): string {
  return [
    "kubectl",
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", quoted(kubeconfig)]),
    ...["--context", quoted(context), "--namespace", namespace, "delete", "secret", secret],
  ].join(" ");
}

/** A record for a person: `Helm's upgrade of istio-system/istiod (revision 2, since 12:03:04Z)`. */
export function recordText({ namespace, release, revision, status, since }: HelmRecord): string {
  const what = status.replace(/^pending-/, "");
  return `Helm's ${what} of ${namespace}/${release} (revision ${revision}, begun ${since.toISOString()})`;
}
