import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../stacks/config.ts";
import { misplacedSecrets } from "../../../stacks/misplaced-secrets.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const problems = (rollout: unknown) =>
  parseConfig({ ...rawConfig(), rollout }).problems.map(({ path, rule }) => `${path} ${rule}`);

describe("the key rollout", () => {
  it("has defaults for everything", () => {
    const { settings } = parseConfig(rawConfig());
    expect(settings?.rollout).toMatchObject({
      bake: "10m",
      interval: "30s",
      maxFailures: { consecutive: 0, total: 0 },
      gates: { minSamples: 100, risk: 1, without: [], successRate: { atLeast: 99 } },
    });
  });

  it("names every mistake", () => {
    const query = { name: "mine", bad: "bad", all: "all" };
    const hook = { name: "smoke", when: "before", url: "https://ci.example.com/" };
    expect(
      problems({
        approval: [50],
        gates: { queries: [query, query], latency: { within: "300ms" }, without: ["shares"] },
        webhooks: [hook, hook, { ...hook, name: "other", when: "after", url: "ftp://x" }],
      }),
    ).toEqual([
      "rollout.gates.latency.within must be a bound of Istio's buckets: 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000 ms",
      "rollout.gates.without[0] must be one of successRate, latency, unreached, share",
      "rollout.webhooks[2].when must be one of before, during, confirm",
      "rollout.webhooks[2].url must be an http or https URL",
    ]);
    expect(
      problems({ approval: [50], gates: { queries: [query, query] }, webhooks: [hook, hook] }),
    ).toEqual([
      "rollout.approval[0] must be one of the phases 10, 30, 100",
      "rollout.gates.queries[1].name must name each query once (same as rollout.gates.queries[0].name)",
      "rollout.webhooks[1].name must name each webhook once (same as rollout.webhooks[0].name)",
    ]);
  });

  it("knows the gates that may be tried out", () => {
    const queries = [{ name: "mine", bad: "bad", all: "all" }];
    expect(problems({ gates: { queries, dryRun: ["mine", "latency"] } })).toEqual([]);
    expect(
      problems({ gates: { queries, without: ["latency"], dryRun: ["latency", "mnie"] } }),
    ).toEqual(
      [0, 1].map(
        (i) =>
          `rollout.gates.dryRun[${i}] must be one of the enabled gates: successRate, unreached, share, mine`,
      ),
    );
  });

  it("never shows a URL that may be secret", () => {
    const { problems: found } = parseConfig({
      ...rawConfig(),
      rollout: { notifications: [{ url: "hooks.slack.com/services/T0/SECRET" }] },
    });
    expect(found).toHaveLength(1);
    expect(JSON.stringify(found)).not.toContain("SECRET");
  });

  it("may hold a secret", () => {
    expect(misplacedSecrets(["istio-canary:rollout"], "istio-canary")).toEqual([]);
  });
});
