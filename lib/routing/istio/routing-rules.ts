import { anyMember, BAGGAGE, MARK_VALUE, markedMember, markHeaders } from "../../mark.ts";
import { literal } from "../../re2.ts";
import { shares } from "../../weights.ts";
import type { ChainPlace, RequestMatch, RuleArgs } from "../routing.ts";

/** A regular expression (RE2) that matches a Cookie header which holds the cookie, at any place. */
export function cookiePattern(name: string, value: string): string {
  return `(?:.*;\\s*)?${literal(name)}=${literal(value)}(?:\\s*;.*)?`;
}

type StringMatch = { readonly exact: string } | { readonly regex: string };
type Headers = Readonly<Record<string, StringMatch>>;

/** What happens to a request's headers on its way to a destination. */
interface HeaderChange {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: string[];
}

/** A rule for requests with certain headers; it is the same for each of the service's hosts. */
export interface RoutingRule {
  /** What it is for, as the end of its name. */
  readonly purpose: string;
  /** The headers that a request must have: one of these sets. @default any request */
  readonly headers?: readonly Headers[];
  readonly destinations: readonly {
    readonly version: string;
    /** @default it is the only destination */
    readonly weight?: number;
    readonly change?: HeaderChange | undefined;
  }[];
}

function headers({ header = {}, cookie = {} }: RequestMatch): Headers {
  const exact = Object.entries(header).map(([name, value]): [string, StringMatch] => [
    name,
    { exact: value },
  ]);
  const cookies = Object.entries(cookie).map(([name, value]): [string, StringMatch] => [
    "cookie",
    { regex: cookiePattern(name, value) },
  ]);
  return Object.fromEntries([...exact, ...cookies]);
}

/** Without a chain: first the requests that ask for the canary, then the weights. */
function ownRules(args: RuleArgs): readonly RoutingRule[] {
  const { canary, matches } = args;
  return [
    ...(canary === undefined || matches.length === 0
      ? []
      : [
          {
            purpose: "canary",
            headers: matches.map(headers),
            destinations: [{ version: canary }],
          },
        ]),
    { purpose: "weights", destinations: shares(args) },
  ];
}

/**
 * An entry marks what it sends to the canary. A mark that comes from outside has no effect and goes,
 * save that of a tester. Envoy cannot take one member out of `baggage`: with a member that nobody here
 * has set, all of it goes.
 */
function entryRules(args: RuleArgs, { mark }: ChainPlace): readonly RoutingRule[] {
  const { canary } = args;
  const { header, baggage, testers } = mark;
  const matches = [
    ...args.matches.map(headers),
    ...testers.map((name): Headers => ({ [header]: { exact: name } })),
  ];
  const marked = { set: markHeaders(mark) };
  /** The mark as one more member of the baggage that a request has. */
  const joined = {
    set: { ...markHeaders(mark), [BAGGAGE]: `%REQ(${BAGGAGE})%,${baggage ?? ""}=${MARK_VALUE}` },
  };
  const weights = (forCanary: HeaderChange, forStable: HeaderChange) =>
    shares(args).map(({ version, weight }) => ({
      version,
      weight,
      change: version === canary ? forCanary : forStable,
    }));
  const forTesters = (purpose: string, change: HeaderChange, also: Headers = {}): RoutingRule[] =>
    canary === undefined || matches.length === 0
      ? []
      : [
          {
            purpose,
            headers: matches.map((each) => ({ ...each, ...also })),
            destinations: [{ version: canary, change }],
          },
        ];
  const some = { [BAGGAGE]: { regex: ".+" } };
  return [
    ...(baggage === undefined ? [] : forTesters("canary-baggage", joined, some)),
    ...forTesters("canary", marked),
    ...(baggage === undefined
      ? []
      : [
          {
            purpose: "weights-forged",
            headers: [{ [BAGGAGE]: { regex: anyMember(baggage) } }],
            destinations: weights(marked, { remove: [header, BAGGAGE] }),
          },
          {
            purpose: "weights-baggage",
            headers: [some],
            destinations: weights(joined, { remove: [header] }),
          },
        ]),
    { purpose: "weights", destinations: weights(marked, { remove: [header] }) },
  ];
}

/** A follower sends what is marked to its canary and all else to stable; a mark goes on as it has come. */
function followerRules(args: RuleArgs, { mark }: ChainPlace): readonly RoutingRule[] {
  const { canary } = args;
  const marked: readonly Headers[] = [
    { [mark.header]: { exact: MARK_VALUE } },
    ...(mark.baggage === undefined ? [] : [{ [BAGGAGE]: { regex: markedMember(mark.baggage) } }]),
  ];
  return [
    ...(canary === undefined
      ? []
      : [{ purpose: "marked", headers: marked, destinations: [{ version: canary }] }]),
    { purpose: "weights", destinations: shares({ ...args, weight: 0 }) },
  ];
}

/** A service's rules in their order: the first one that a request meets decides. */
export function routingRules(args: RuleArgs): readonly RoutingRule[] {
  switch (args.chain?.role) {
    case undefined:
      return ownRules(args);
    case "entry":
      return entryRules(args, args.chain);
    case "follower":
      return followerRules(args, args.chain);
  }
}
