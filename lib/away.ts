/** How Pulumi is told to leave resources out. */
export interface Exclusion {
  /** Patterns of URNs. */
  readonly exclude: string[];
  /** Whether what depends on them is left out too. */
  readonly excludeDependents: true;
}

/**
 * The URN of Pulumi's way to a cluster, as a pattern. All resources there depend on it, whatever their names are, and so
 * does what is made of them in other clusters: a name of a resource says less, since one cluster's name may end another's.
 */
function providerPattern(cluster: string): string {
  return `**:providers:kubernetes::${cluster}`;
}

/** What Pulumi is to leave as it is while clusters are away. @returns undefined if none is */
export function exclusionOf(away: readonly string[]): Exclusion | undefined {
  return away.length === 0
    ? undefined
    : { exclude: away.map(providerPattern), excludeDependents: true };
}

/** The same as arguments of the Pulumi CLI. */
export function exclusionArgs(away: readonly string[]): readonly string[] {
  const { exclude = [] } = exclusionOf(away) ?? {};
  return exclude.length === 0
    ? []
    : [...exclude.flatMap((pattern) => ["--exclude", pattern]), "--exclude-dependents"];
}

/** The same for a shell. */
export function exclusionFlags(away: readonly string[]): string {
  return exclusionArgs(away)
    .map((arg) => (arg.includes("*") ? `'${arg}'` : arg))
    .join(" ");
}
