import type { ChainFinding } from "../checks/check.ts";

/** A service of a chain, as its proxies and versions are known. */
export interface Member {
  /** The service, as `namespace/service`. */
  readonly key: string;
  readonly isEntry: boolean;
  readonly stable: string;
  /** @default none: its stable version serves marked requests too, and propagates the mark */
  readonly canary?: string | undefined;
}

/** Requests that the pods of one version in one cluster have sent to one version of another service. */
export interface Calls {
  readonly cluster: string;
  readonly from: string;
  readonly fromVersion: string;
  readonly to: string;
  readonly toVersion: string;
  readonly requests: number;
}

/** What was sent into the chain. */
export interface Probed {
  /** Marked requests to the canaries of the entries, over all clusters. */
  readonly requests: number;
  /** Services that no probe is expected at, as `namespace/service`. */
  readonly without: readonly string[];
  /** The mark, in words. */
  readonly mark: string;
}

function total(calls: readonly Calls[]): number {
  return calls.reduce((sum, { requests }) => sum + requests, 0);
}

/** How far each service is from the entries, along the calls; those that nobody has called are left out. */
function depths(members: readonly Member[], calls: readonly Calls[]): ReadonlyMap<string, number> {
  const known = new Map(members.filter(({ isEntry }) => isEntry).map(({ key }) => [key, 0]));
  // A set and a map may grow while they are iterated.
  for (const [key, depth] of known) {
    for (const { from, to } of calls) {
      if (from === key && !known.has(to)) known.set(to, depth + 1);
    }
  }
  return known;
}

/** What a service that serves marked requests has made of them towards another one. */
interface Hop {
  readonly from: Member;
  readonly version: string;
  readonly to: Member;
  readonly canary: string;
  readonly marked: number;
  readonly unmarked: readonly Calls[];
}

function hops(members: readonly Member[], calls: readonly Calls[]): readonly Hop[] {
  return members.flatMap((from) =>
    members.flatMap((to): Hop[] => {
      const { canary } = to;
      if (canary === undefined || to.key === from.key) return [];
      const version = from.canary ?? from.stable;
      const own = calls.filter(
        (each) => each.from === from.key && each.fromVersion === version && each.to === to.key,
      );
      return [
        {
          from,
          version,
          to,
          canary,
          marked: total(own.filter(({ toVersion }) => toVersion === canary)),
          unmarked: own.filter(({ toVersion }) => toVersion !== canary),
        },
      ];
    }),
  );
}

/**
 * Which service loses the mark: the first on the way from the entries, by what the proxies have counted
 * while marked probes went through the chain. Other requests in the same time do not mislead: a
 * service that propagates the mark has sent at least the probes to the next canary.
 */
export function lostMarks(
  members: readonly Member[],
  calls: readonly Calls[],
  { requests, without, mark }: Probed,
): readonly ChainFinding[] {
  const made = calls.filter((each) => each.requests > 0);
  const depth = depths(members, made);
  const all = hops(members, made);
  const losing = all.filter(({ marked, unmarked }) => marked < requests && total(unmarked) > 0);
  const first = Math.min(...losing.map(({ from }) => depth.get(from.key) ?? Infinity));
  if (losing.length > 0) {
    return losing
      .filter(({ from }) => (depth.get(from.key) ?? Infinity) === first)
      .flatMap(({ from, version, to, canary, marked, unmarked }) =>
        [...new Set(unmarked.map(({ cluster }) => cluster))].map((cluster) => ({
          cluster,
          seen:
            `${version} of ${from.key} loses it: while ${requests} marked requests went through the chain, ` +
            `${marked} of its requests to ${to.key} went to ${canary} and ${total(unmarked)} to ${to.stable}`,
          fix: `Make it copy ${mark} from each incoming request to the outgoing requests that it causes; docs/full-chain.md says how.`,
          mayHeal: false,
        })),
      );
  }
  const missed = members.filter(
    ({ key, isEntry, canary }) =>
      !isEntry &&
      canary !== undefined &&
      !without.includes(key) &&
      all.every(({ to, marked }) => to.key !== key || marked === 0),
  );
  return missed.map(({ key, canary }) => ({
    seen: `no probe has reached ${canary ?? ""} of ${key}, so it is unknown whether the mark reaches it`,
    fix: "Set chain.probe.path to a path whose answer needs it, or name it in chain.probe.without.",
    mayHeal: false,
  }));
}
