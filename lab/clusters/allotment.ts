/** A Service that wants an address of its own. */
export interface Claim {
  readonly name: string;
  /** The address that it has already. */
  readonly held: string | undefined;
  /** When it was made, in milliseconds. */
  readonly since: number;
}

/**
 * Gives each claim an address from the range. Whoever holds one keeps it, the older claim first if
 * two hold the same; the others get the first free ones, in order of age. Claims that find none free
 * are left out.
 */
export function allot(claims: readonly Claim[], range: readonly string[]): Map<string, string> {
  const byAge = [...claims].sort(
    (one, other) => one.since - other.since || one.name.localeCompare(other.name),
  );
  const taken = new Map<string, string>();
  for (const { name, held } of byAge) {
    if (held && range.includes(held) && !taken.has(held)) taken.set(held, name);
  }
  const served = new Set(taken.values());
  for (const { name } of byAge.filter((claim) => !served.has(claim.name))) {
    const free = range.find((address) => !taken.has(address));
    if (free) taken.set(free, name);
  }
  return new Map([...taken].map(([address, name]) => [name, address]));
}
