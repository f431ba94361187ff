import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { alertNames, ruleGroups, writtenRules, type RulesArgs } from "../../../monitoring/rules.ts";

const args: RulesArgs = {
  otherClusters: 2,
  thresholds: {
    errorPercent: 5,
    errorsTimesStable: 2,
    latencyMs: 1500,
    latencyTimesStable: 1.5,
    leastRequests: 100,
    shareDeviations: 4,
    certificateDays: 30,
  },
  window: "90s",
  alerts: { ReleaseStuck: { enabled: true, for: "72h" }, CanaryLatency: { enabled: false } },
  runbooks: "https://git.example.com/main/",
};
const rulesOf = (changes: Partial<RulesArgs> = {}) =>
  ruleGroups({ ...args, ...changes }).flatMap(({ rules }) => rules);

describe("the rules of a cluster", () => {
  it("ask of each cluster which versions its alerts are about", () => {
    const about = rulesOf({ alerts: {} }).filter(
      ({ alert, expr }) => alert !== undefined && expr.includes("version:info{"),
    );
    expect(about.map(({ alert }) => alert)).toEqual(
      alertNames().filter((name) => /^(Canary|Release)/.test(name)),
    );
    for (const { alert, expr } of about) {
      const inCluster =
        /and on \(cluster, destination_service_namespace, destination_service_name, destination_version\)\s+istio_canary:version:info\{/g;
      expect(expr.replaceAll(inCluster, ""), alert).not.toContain("version:info");
    }
  });

  it("have every threshold that the files use, and use every one they have", () => {
    const given = rulesOf().flatMap(({ record, labels, expr }) =>
      record === "istio_canary:threshold" ? [[labels?.["name"], expr]] : [],
    );
    const used = writtenRules().flatMap(({ rules }) =>
      rules.flatMap(({ expr }) =>
        [...expr.matchAll(/threshold\{name="(\w+)"\}/g)].map(([, n]) => n),
      ),
    );
    expect(new Set(given.map(([name]) => name))).toEqual(new Set(used));
    expect(Object.fromEntries(given)).toMatchObject({
      error_ratio: "vector(0.05)",
      latency_milliseconds: "vector(1500)",
      certificate_seconds: "vector(2592000)",
      remote_clusters: "vector(2)",
    });
  });

  it("compute over the configured window", () => {
    const text = JSON.stringify(rulesOf());
    expect(text).toContain("[90s]");
    expect(text).not.toContain("[5m]");
  });

  it("follow what is configured for an alert", () => {
    const alerts = rulesOf().filter(({ alert }) => alert !== undefined);
    expect(alerts.find(({ alert }) => alert === "ReleaseStuck")?.for).toBe("72h");
    expect(alerts.find(({ alert }) => alert === "CanaryErrorRate")?.for).toBe("1m");
    expect(alerts.map(({ alert }) => alert)).not.toContain("CanaryLatency");
  });

  it("link each alert to its section in docs/alerts.md, which is there", () => {
    const page = readFileSync(path.join(import.meta.dirname, "../../../docs/alerts.md"), "utf8");
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title ?? "");
    // GitHub's anchors of one-word headings.
    expect([...headings].sort()).toEqual([...alertNames()].sort());
    for (const { alert, annotations } of rulesOf({ alerts: {} })) {
      if (alert === undefined) continue;
      expect(annotations?.["runbook_url"]).toBe(
        `https://git.example.com/main/docs/alerts.md#${alert.toLowerCase()}`,
      );
      expect(annotations?.["summary"]).toContain("{{ $labels.cluster }}");
    }
  });

  it("name service and version in each alert about a canary", () => {
    for (const { alert, annotations } of rulesOf({ alerts: {} })) {
      if (alert === undefined || !/^(Canary|Release)/.test(alert)) continue;
      for (const label of ["service_namespace", "service_name", "version"]) {
        expect(annotations?.["summary"], alert).toContain(`{{ $labels.destination_${label} }}`);
      }
    }
  });
});
