import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const ENTRY = "user/user-service";

type Raw = ReturnType<typeof rawConfig>;

/** What is wrong with the configuration of a chain after a change of it. */
function lines(change: (raw: Raw) => object): string[] {
  const raw = rawConfig({ services: 3, chain: true });
  return parseConfig({ ...raw, ...change(raw) }).problems.map(problemLine);
}

describe("the configuration of a chain", () => {
  const chain = (more: object) => () => ({ chain: { entries: [ENTRY], ...more } });
  const follower =
    (more: object) =>
    ({ services }: Raw) => ({
      services: services.map((s, i) => (i === 1 ? { ...s, ...more } : s)),
    });

  it("is complete with the names of its entries", () => {
    expect(lines(chain({}))).toEqual([]);
    const { settings: parsed } = parseConfig({
      ...rawConfig({ services: 3, chain: true }),
      chain: { entries: [ENTRY] },
    });
    expect(parsed?.chain).toEqual({
      entries: [ENTRY],
      mark: { header: "x-istio-canary", testers: [] },
      probe: { path: "/", requests: 5, headers: {}, without: [] },
    });
  });

  it.each<[string, (raw: Raw) => object, RegExp]>([
    ["no entry", chain({ entries: [] }), /^ - chain\.entries: must name a service/],
    [
      "an entry that is no service",
      chain({ entries: ["user-service"] }),
      /^ - chain\.entries\[0\]: must be one of services, as namespace\/name, got "user-service"\. Choose one of user\/user-service, /,
    ],
    [
      "an entry twice",
      chain({ entries: [ENTRY, ENTRY] }),
      /^ - chain\.entries\[1\]: must name each entry once/,
    ],
    [
      "no entry with a canary",
      ({ services }) => ({
        services: services.map((s, i) => (i === 0 ? { ...s, canary: undefined } : s)),
      }),
      /^ - chain\.entries: must name a service with a canary while another has one/,
    ],
    [
      "testers of a follower",
      follower({ matches: [{ header: { "x-canary": "true" } }] }),
      /^ - services\[1\]\.matches: must be empty: a follower routes by the mark.*Give them to user\/user-service\./,
    ],
    [
      "a follower that is reached from outside",
      follower({ ingressHosts: ["user-service.example.com"] }),
      /services\[1\]\.ingressHosts: must be empty: clients outside come in through an entry/,
    ],
    [
      "copies of requests",
      follower({ mirrorPercent: 10 }),
      /^ - services\[1\]\.mirrorPercent: must be 0 with a chain/,
    ],
    [
      "testers by the header of the mark",
      chain({ mark: { header: "x-canary" } }),
      /^ - services\[0\]\.matches\[0\]\.header\.x-canary: must not be the header of the mark/,
    ],
    [
      "a header that has another meaning",
      chain({ mark: { header: "baggage" } }),
      /^ - chain\.mark\.header: must be a header name in lower case, other than baggage/,
    ],
    [
      "a tester whose name is the mark",
      chain({ mark: { testers: ["canary"] } }),
      /^ - chain\.mark\.testers\[0\]: must not be canary/,
    ],
    [
      "an entry that no probe is expected at",
      chain({ probe: { without: [ENTRY] } }),
      /^ - chain\.probe\.without\[0\]: must be a follower of the chain/,
    ],
  ])("does not have %s", (_what, change, line) => {
    expect(lines(change)).toContainEqual(expect.stringMatching(line));
  });
});
