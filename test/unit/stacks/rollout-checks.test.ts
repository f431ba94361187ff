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
      "rollout.gates.queries[1].name must name each gate once (same as rollout.gates.queries[0].name)",
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

  it("knows the phases and the gates that may differ", () => {
    const latency = { atLeast: 99.9 };
    expect(
      problems({ at: [{ weight: 30, bake: "1h", precision: 1, gates: { latency } }] }),
    ).toEqual([]);
    expect(
      problems({
        at: [
          { weight: 50, approval: true },
          { weight: 10, gates: { share: { atLeast: 1 }, mine: {} } },
          { weight: 10 },
        ],
      }),
    ).toEqual([
      "rollout.at[0].weight must be one of the phases 10, 30, 100",
      "rollout.at[1].gates.share must be one of the enabled gates with limits: successRate, latency",
      "rollout.at[1].gates.mine must be one of the enabled gates with limits: successRate, latency",
      "rollout.at[2].weight must name each phase once (same as rollout.at[1].weight)",
    ]);
    expect(
      problems({ at: [{ weight: 10, trial: "1h", gates: { latency: { against: "x" } } }] }),
    ).toEqual([
      "rollout.at[0].gates.latency.against is not a configuration key",
      "rollout.at[0].trial is not a configuration key",
    ]);
  });

  it("knows what the URL of an endpoint must ask for", () => {
    const web = (url: string, name = "mine") => problems({ gates: { web: [{ name, url }] } });
    expect(web("https://a.example.com/{{version}}?since={{since}}&until={{until}}")).toEqual([]);
    expect(web("https://{{cluster}}.example.com/{{version}}/{{window}}")).toEqual([]);
    const at = "rollout.gates.web[0].url";
    expect(web("a.example.com/{{version}}/{{window}}")).toEqual([
      `${at} must be an http or https URL`,
    ]);
    const asks = `${at} must ask for {{version}}, and for {{since}} or {{window}}`;
    expect(web("https://a.example.com/counts?since={{since}}")).toEqual([asks]);
    expect(web("https://a.example.com/counts?version={{version}}")).toEqual([asks]);
    expect(web("https://a.example.com/{{version}}/{{window}}/{{ version }}")).toEqual([
      `${at} must have no other placeholders than service, namespace, version, cluster, since, until, window`,
    ]);
    const query = { name: "mine", bad: "bad", all: "all" };
    const url = "https://a.example.com/{{version}}/{{window}}";
    expect(
      problems({ gates: { queries: [query], web: [{ name: "mine", url }], dryRun: ["mine"] } }),
    ).toEqual([
      "rollout.gates.web[0].name must name each gate once (same as rollout.gates.queries[0].name)",
    ]);
  });

  it("never shows a URL that may be secret", () => {
    const { problems: found } = parseConfig({
      ...rawConfig(),
      rollout: {
        notifications: [{ url: "hooks.slack.com/services/T0/SECRET" }],
        gates: { web: [{ name: "mine", url: "https://a.example.com/SECRET" }] },
      },
    });
    expect(found).toHaveLength(2);
    expect(JSON.stringify(found)).not.toContain("SECRET");
  });

  it("may hold a secret", () => {
    expect(misplacedSecrets(["istio-canary:rollout"], "istio-canary")).toEqual([]);
  });
});
