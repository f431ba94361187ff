import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cookiePattern } from "../../../../../lib/routing/istio/routing-rules.ts";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";

/** As Envoy matches: the whole value. */
const matches = (header: string, name = "canary", value = "always") =>
  new RegExp(`^(?:${cookiePattern(name, value)})$`).test(header);

describe("the pattern for a cookie", () => {
  it.each([
    "canary=always",
    "a=b; canary=always",
    "canary=always; a=b",
    "a=b;canary=always;c=d",
    "a=b; canary=always ; c=d",
  ])("finds it in %j", (header) => {
    expect(matches(header)).toBe(true);
  });

  it.each([
    "",
    "canary=never",
    "canary=always2",
    "xcanary=always",
    "a=canary=always",
    "canary=always=1",
    "a=b canary=always",
  ])("does not find it in %j", (header) => {
    expect(matches(header)).toBe(false);
  });

  it("takes no character of name and value for a pattern", () => {
    const text = fc.stringMatching(/^[!#$%&'*+\-.^_`|~\w]{1,12}$/);
    fc.assert(
      fc.property(text, text, (name, value) => {
        expect(matches(`a=b; ${name}=${value}; c=d`, name, value)).toBe(true);
        expect(matches(`a=b; ${name}=${value}x; c=d`, name, value)).toBe(false);
      }),
    );
  });
});

describe("a VirtualService", () => {
  it("lists weights that sum to 100 in every rule, for any weight and number of clusters", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.nat(5), (weight, clusters) => {
        const crossClusterHosts = Array.from({ length: clusters }, (_, i) => `s.n.c${i}.mesh`);
        const { spec } = virtualService({
          service: "s",
          namespace: "n",
          clusterDomain: "cluster.local",
          stable: "v1",
          canary: "v2",
          weight,
          matches: [{ header: { "x-canary": "true" } }],
          timeout: "10s",
          retries: { attempts: 2 },
          mirrorPercent: 0,
          crossClusterHosts,
          ingressHosts: [],
          ingressGateway: "",
        });
        expect(spec.http).toHaveLength(2 * (clusters + 1));
        for (const { route } of spec.http.filter((_, i) => i % 2 === 1)) {
          const weights = route.map((r) => ("weight" in r ? r.weight : undefined));
          expect(weights).toEqual([100 - weight, weight]);
        }
        // Rules without a condition match everything: only the last may have none.
        expect(spec.http.slice(0, -1).every((rule) => "match" in rule)).toBe(true);
        expect(spec.http.at(-1)).not.toHaveProperty("match");
      }),
    );
  });
});
