import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { routingRules, type RoutingRule } from "../../../../../lib/routing/istio/routing-rules.ts";
import type { ChainPlace } from "../../../../../lib/routing/routing.ts";
import { anyMember, markedMember, type Mark } from "../../../../../lib/mark.ts";

type Headers = Readonly<Record<string, string>>;

const mark: Mark = { header: "x-istio-canary", baggage: "istio-canary", testers: ["alice"] };
const entry: ChainPlace = { role: "entry", mark };
const follower: ChainPlace = { role: "follower", mark };

/** Whether a request meets a rule, as Envoy matches: each header as a whole. */
function meets(rule: RoutingRule, headers: Headers): boolean {
  return (
    rule.headers?.some((wanted) =>
      Object.entries(wanted).every(([name, match]) => {
        const value = headers[name];
        if (value === undefined) return false;
        return "exact" in match
          ? value === match.exact
          : new RegExp(`^(?:${match.regex})$`).test(value);
      }),
    ) ?? true
  );
}

/** Where a request goes, and the headers it arrives with, when fate rolls a number below 100. */
function sent(rules: readonly RoutingRule[], headers: Headers, fate: number) {
  const rule = rules.find((each) => meets(each, headers));
  if (!rule) throw new Error("no rule takes the request");
  let sum = 0;
  const destination = rule.destinations.find(({ weight = 100 }) => (sum += weight) > fate);
  if (!destination) throw new Error(`${rule.purpose} leaves requests without a destination`);
  const { set = {}, remove = [] } = destination.change ?? {};
  const kept = Object.entries(headers).filter(([name]) => !remove.includes(name));
  const added = Object.entries(set).map(([name, value]) => [
    name,
    value.replace("%REQ(baggage)%", headers["baggage"] ?? "-"),
  ]);
  return {
    version: destination.version,
    headers: Object.fromEntries([...kept, ...added]) as Headers,
  };
}

const versions = { stable: "v1", canary: "v2" };
const rulesOf = (chain: ChainPlace, weight: number, canary: string | undefined = "v2") =>
  routingRules({
    stable: "v1",
    canary,
    weight,
    matches: [{ header: { "x-canary": "true" } }],
    chain,
  });

/** A request from outside, with whatever a client may think of. */
const request = fc.record(
  {
    "x-istio-canary": fc.constantFrom("canary", "alice", "bob", ""),
    "x-canary": fc.constantFrom("true", "false"),
    baggage: fc
      .array(
        fc.constantFrom("a=b", "istio-canary=canary", "istio-canary=x;p=1", "xistio-canary=canary"),
        { minLength: 1, maxLength: 3 },
      )
      .map((members) => members.join(", ")),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Headers>;

/** What a service propagates of a request: the header, the baggage, or both. */
const carriers = fc.constantFrom<readonly string[]>(
  ["x-istio-canary"],
  ["baggage"],
  ["x-istio-canary", "baggage"],
);

function propagated(headers: Headers, carried: readonly string[]): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => carried.includes(name)));
}

describe("a request through a chain", () => {
  it("meets canaries only or none, whatever it brings, by whatever means services propagate the mark", () => {
    fc.assert(
      fc.property(
        request,
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 99 }),
        fc.array(carriers, { minLength: 1, maxLength: 3 }),
        (headers, weight, fate, hops) => {
          let at = sent(rulesOf(entry, weight), headers, fate);
          const first = at.version;
          // What both of two services propagate is what arrives at the third.
          const carried = hops.reduce((all, each) => all.filter((name) => each.includes(name)));
          fc.pre(carried.length > 0);
          for (const hop of hops) {
            at = sent(rulesOf(follower, weight), propagated(at.headers, hop), fate);
            expect(at.version).toBe(first);
          }
        },
      ),
    );
  });

  it("is chosen by weight, or because a tester asks for it, and by nothing else from outside", () => {
    fc.assert(
      fc.property(
        request,
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 99 }),
        (headers, weight, fate) => {
          const asks = headers["x-canary"] === "true" || headers["x-istio-canary"] === "alice";
          // The canary is the second of two destinations.
          const { version } = sent(rulesOf(entry, weight), headers, fate);
          expect(version).toBe(asks || fate >= 100 - weight ? "v2" : "v1");
        },
      ),
    );
  });

  it("keeps the rest of its baggage, except where somebody has forged the mark", () => {
    const rules = rulesOf(entry, 50);
    expect(sent(rules, { baggage: "a=b" }, 99).headers["baggage"]).toBe("a=b,istio-canary=canary");
    expect(sent(rules, { baggage: "a=b" }, 0).headers["baggage"]).toBe("a=b");
    expect(sent(rules, { baggage: "a=b", "x-canary": "true" }, 0).headers["baggage"]).toBe(
      "a=b,istio-canary=canary",
    );
    const forged = { baggage: "a=b, istio-canary=canary", "x-istio-canary": "canary" };
    expect(sent(rules, forged, 0)).toEqual({ version: "v1", headers: {} });
    expect(sent(rules, forged, 99).headers["baggage"]).toBe("istio-canary=canary");
  });

  it("goes to stable where a service has no canary, and the mark goes on", () => {
    const headers = { "x-istio-canary": "canary" };
    const rules = routingRules({ stable: "v1", weight: 30, matches: [], chain: follower });
    expect(sent(rules, headers, 99)).toEqual({ version: "v1", headers });
  });

  it("is not marked by an entry without a canary", () => {
    const rules = routingRules({ stable: "v1", weight: 30, matches: [], chain: entry });
    for (const headers of [{ "x-istio-canary": "canary" }, { "x-istio-canary": "alice" }]) {
      expect(sent(rules, headers, 99)).toEqual({ version: "v1", headers: {} });
    }
  });

  it("needs no rule about baggage where that does not carry the mark", () => {
    const header = { ...mark, baggage: undefined };
    const purposes = routingRules({
      ...versions,
      weight: 10,
      matches: [],
      chain: { role: "entry", mark: header },
    }).map(({ purpose }) => purpose);
    expect(purposes).toEqual(["canary", "weights"]);
  });
});

describe("the patterns for a member of baggage", () => {
  const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`);

  it.each([
    ["istio-canary=canary", true, true],
    ["a=b, istio-canary = canary;p=1,c=d", true, true],
    ["istio-canary=canary2", true, false],
    ["istio-canary=x", true, false],
    ["xistio-canary=canary", false, false],
    ["a=istio-canary", false, false],
  ])("take %j for %j and %j", (baggage, any, marked) => {
    expect(whole(anyMember("istio-canary")).test(baggage)).toBe(any);
    expect(whole(markedMember("istio-canary")).test(baggage)).toBe(marked);
  });

  it("take no character of the name for a pattern", () => {
    expect(whole(anyMember("a.b")).test("aXb=canary")).toBe(false);
  });
});
