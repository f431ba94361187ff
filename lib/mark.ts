import { literal } from "./re2.ts";

/** What the mark of a request that is on the canary's way says, in its header and in `baggage`. */
export const MARK_VALUE = "canary";

/** How requests are marked that an entry of a chain has sent to a canary. */
export interface Mark {
  /** Name of the header, in lower case. */
  readonly header: string;
  /**
   * Name of the member of the header `baggage` (W3C) that says the same, for services whose tracing
   * propagates that. @default none
   */
  readonly baggage?: string | undefined;
  /** Values of the header by which somebody outside may ask for the canary. */
  readonly testers: readonly string[];
}

/** What a service is in a chain: an entry decides and marks, a follower follows the mark. */
export type ChainRole = "entry" | "follower";

/** The header by which W3C baggage travels. */
export const BAGGAGE = "baggage";

/** A regular expression (RE2) for a header `baggage` that has the member, whatever it says. */
export function anyMember(name: string): string {
  return `(?:.*[,\\s])?${literal(name)}\\s*=.*`;
}

/** A regular expression (RE2) for a header `baggage` whose member says that the request is marked. */
export function markedMember(name: string): string {
  return `(?:.*[,\\s])?${literal(name)}\\s*=\\s*${MARK_VALUE}\\s*(?:[;,].*)?`;
}

/** A mark in words: services that propagate it must know these two names. */
export function markText({ header, baggage }: Mark): string {
  return baggage === undefined ? header : `${header} and ${BAGGAGE} ${baggage}`;
}

/** The headers of a request that is marked, for whoever sends one. */
export function markHeaders({ header, baggage }: Mark): Readonly<Record<string, string>> {
  return {
    [header]: MARK_VALUE,
    ...(baggage !== undefined && { [BAGGAGE]: `${baggage}=${MARK_VALUE}` }),
  };
}
