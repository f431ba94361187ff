import { VirtualService } from "@kubernetes-models/istio/networking.istio.io/v1/VirtualService";
import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

function config(corsPolicy: unknown) {
  const raw = rawConfig();
  return parseConfig({
    ...raw,
    services: raw.services.map((known) => ({ ...known, corsPolicy })),
  });
}

/** The VirtualServices of all clusters with a policy. */
function virtualServices(corsPolicy: unknown) {
  const { settings, problems } = config(corsPolicy);
  if (!settings) throw new Error(problems.map(problemLine).join("\n"));
  return planRelease(settings, []).routes.map(({ objects }) => objects.weights);
}

const whole = {
  allowOrigins: [
    { exact: "https://shop.example.com" },
    { prefix: "https://shop-" },
    { regex: "https://.*\\.example\\.com" },
  ],
  allowMethods: ["GET", "POST"],
  allowHeaders: ["x-canary"],
  exposeHeaders: ["x-version"],
  maxAge: "24h",
  allowCredentials: true,
};

describe("a service's corsPolicy", () => {
  it("is in every rule of every cluster, and one of Istio's", () => {
    const made = virtualServices(whole);
    expect(made.length).toBe(2);
    for (const { metadata, spec } of made) {
      const { http } = spec as { http: { corsPolicy?: unknown }[] };
      expect(http.length).toBeGreaterThan(0);
      for (const { corsPolicy } of http) expect(corsPolicy).toEqual(whole);
      const rules = new VirtualService({ metadata, spec: spec });
      expect(() => {
        rules.validate();
      }).not.toThrow();
    }
  });

  it("leaves rules as they are that have none", () => {
    for (const { spec } of virtualServices(undefined)) {
      expect(JSON.stringify(spec)).not.toContain("corsPolicy");
    }
  });

  it.each([
    ["without an origin", {}, "corsPolicy.allowOrigins: must be given"],
    ["with no origin", { allowOrigins: [] }, "corsPolicy.allowOrigins: must list at least one"],
    [
      "with two ways to name an origin",
      { allowOrigins: [{ exact: "a", prefix: "b" }] },
      "corsPolicy.allowOrigins[0]: must have one of exact, prefix and regex",
    ],
    [
      "with cookies for everybody",
      { allowOrigins: [{ exact: "*" }], allowCredentials: true },
      "corsPolicy: must not have allowCredentials for any origin",
    ],
    [
      "with a key that Istio does not have",
      { allowOrigins: [{ exact: "*" }], allowMethod: ["GET"] },
      "corsPolicy.allowMethod: is not a configuration key. Did you mean allowMethods?",
    ],
  ])("is refused %s", (_, policy, text) => {
    expect(config(policy).problems.map(problemLine).join("\n")).toContain(` - services[0].${text}`);
  });
});
