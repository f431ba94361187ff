import { literal } from "./re2.ts";

/** Paths of a host, as Istio's StringMatch: one of the three. */
export interface PathMatch {
  readonly exact?: string | undefined;
  /** How the path begins, letter by letter: `/api` is also the beginning of `/apiary`. */
  readonly prefix?: string | undefined;
  /** A regular expression (RE2) for the whole path. */
  readonly regex?: string | undefined;
}

/** What a service has of a host of the ingress gateway. */
export interface HostShare {
  /** The service, as `namespace/service`. */
  readonly service: string;
  /** @default all paths that nobody else has */
  readonly paths?: readonly PathMatch[] | undefined;
  /** Of a service with all paths: which of them it knows to be others'. @default none */
  readonly others?: readonly PathMatch[] | undefined;
}

/** A path in words: `prefix /api`. */
function pathText({ exact, prefix, regex }: PathMatch): string {
  if (exact !== undefined) return `exact ${exact}`;
  return prefix === undefined ? `regex ${regex ?? ""}` : `prefix ${prefix}`;
}

/** With what a path begins that a regular expression matches, as far as that is certain. */
function headOf(regex: string): string {
  // One of several alternatives may begin otherwise, and what a quantifier follows may be left out.
  if (regex.includes("|")) return "";
  const [head = ""] = /^[\w/~%-]*/.exec(regex) ?? [];
  return /^[*?{]/.test(regex.slice(head.length)) ? head.slice(0, -1) : head;
}

/** With what every path begins that a match is for. */
function beginning({ exact, prefix, regex = "" }: PathMatch): string {
  return exact ?? prefix ?? headOf(regex);
}

function isEither(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** Whether a path may be one of both; of regular expressions, only what they begin with tells them apart. */
export function overlap(one: PathMatch, other: PathMatch): boolean {
  const [first, second] = [beginning(one), beginning(other)];
  if (one.exact !== undefined && other.exact !== undefined) return first === second;
  if (one.exact !== undefined) return first.startsWith(second);
  if (other.exact !== undefined) return second.startsWith(first);
  return isEither(first, second);
}

/** A regular expression (RE2) for the pseudo-header `:path`, which has the query too, of requests for any of the paths. */
export function pathsPattern(paths: readonly PathMatch[]): string {
  return paths
    .map(({ exact, prefix, regex = "" }) => {
      if (prefix !== undefined) return `${literal(prefix)}.*`;
      return `${exact === undefined ? `(?:${regex})` : literal(exact)}(?:\\?.*)?`;
    })
    .join("|");
}

function isSame(one: PathMatch, other: PathMatch): boolean {
  return one.exact === other.exact && one.prefix === other.prefix && one.regex === other.regex;
}

/** Why two services cannot have their shares of one host, and what helps. */
export interface HostObjection {
  /** Ends a sentence on the host: `must …, but …`. */
  readonly seen: string;
  readonly fix: string;
}

/** What of a service with all paths keeps it from sharing a host with one that has some. */
function unknownPaths(all: HostShare, some: HostShare): readonly PathMatch[] {
  const known = all.others ?? [];
  return (some.paths ?? []).filter((path) => !known.some((other) => isSame(path, other)));
}

/**
 * Why two services cannot share a host. Istio joins the rules of both in no defined order, save that those for any
 * path and any header come last.
 *
 * @returns undefined if they can
 */
export function hostObjection(own: HostShare, other: HostShare): HostObjection | undefined {
  if (own.paths && other.paths) {
    for (const one of own.paths) {
      const same = other.paths.find((each) => overlap(one, each));
      if (same) {
        return {
          seen: `${pathText(one)} overlaps with ${pathText(same)} of ${other.service}, and Istio does not say whose rules come first`,
          fix: "Give them paths of which none begins with another, or give one of the two services all other paths: leave its ingressPaths out.",
        };
      }
    }
    return undefined;
  }
  if (!own.paths && !other.paths) {
    return {
      seen: `${other.service} has all paths of it too`,
      fix: "Give one of the two services ingressPaths, or take the host away from it.",
    };
  }
  const [all, some] = own.paths ? [other, own] : [own, other];
  const unknown = unknownPaths(all, some).map(pathText);
  return unknown.length === 0
    ? undefined
    : {
        seen: `${all.service} has all paths of it and does not know that ${unknown.join(", ")} ${unknown.length === 1 ? "is" : "are"} of ${some.service}: requests with a header of its matches would go astray`,
        fix: `List ${unknown.length === 1 ? "it" : "them"} under ingressPathsOfOthers of ${all.service}, in an update before this one.`,
      };
}
