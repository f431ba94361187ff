import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { load } from "js-yaml";
import * as z from "zod";

/** Folder of the rule files, in Prometheus' own format. */
const RULES = path.join(import.meta.dirname, "rules");

/** The range in the rule files that stands for the configured window. */
const WINDOW = "[5m]";

const rule = z.strictObject({
  record: z.string().optional(),
  alert: z.string().optional(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const ruleFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })),
});

type Rule = z.infer<typeof rule>;
/** A group of rules, as a rule file and a PrometheusRule have it. */
export type RuleGroup = z.infer<typeof ruleFile>["groups"][number];

/** When alerts fire; see the configuration's `monitoring.thresholds`. */
interface Thresholds {
  readonly errorPercent: number;
  readonly errorsTimesStable: number;
  /** In milliseconds. */
  readonly latencyMs: number;
  readonly latencyTimesStable: number;
  readonly leastRequests: number;
  readonly shareDeviations: number;
  readonly certificateDays: number;
}

export interface RulesArgs {
  /** Clusters of the mesh other than the one that the rules are for. */
  readonly otherClusters: number;
  readonly thresholds: Thresholds;
  /** Duration that replaces the files' 5m in ranges. */
  readonly window: string;
  /** What differs, by the alert's name. */
  readonly alerts: Readonly<
    Record<string, { readonly enabled: boolean; readonly for?: string | undefined }>
  >;
  /** What goes before `docs/alerts.md#…` in runbook_url. @default nothing */
  readonly runbooks?: string | undefined;
}

let files: readonly RuleGroup[] | undefined;

/** The groups of all rule files, as they are written. */
export function writtenRules(): readonly RuleGroup[] {
  files ??= readdirSync(RULES)
    .sort()
    .flatMap((file) => ruleFile.parse(load(readFileSync(path.join(RULES, file), "utf8"))).groups);
  return files;
}

/**
 * The expression that a recording rule has in the files.
 *
 * @param window duration that replaces the files' 5m
 */
export function recordedExpr(record: string, window: string): string {
  const found = writtenRules()
    .flatMap(({ rules }) => rules)
    .find((each) => each.record === record);
  if (!found) throw new Error(`monitoring/rules records no ${record}`);
  return inWindow(found.expr, window);
}

function inWindow(expr: string, window: string): string {
  return expr.replaceAll(WINDOW, `[${window}]`);
}

/** Names of all alerts. */
export function alertNames(): readonly string[] {
  return writtenRules().flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
}

/** The rules for one cluster: those of the files, and what they read from the configuration. */
export function ruleGroups(args: RulesArgs): RuleGroup[] {
  return [
    configurationGroup(args),
    ...writtenRules().map(({ name, rules }) => ({
      name,
      rules: rules
        .filter(({ alert }) => alert === undefined || args.alerts[alert]?.enabled !== false)
        .map((written) => configured(written, args)),
    })),
  ];
}

function configured(written: Rule, { window, alerts, runbooks = "" }: RulesArgs): Rule {
  const expr = inWindow(written.expr, window);
  if (written.alert === undefined) return { ...written, expr };
  const holds = alerts[written.alert]?.for ?? written.for;
  const { runbook_url, ...annotations } = written.annotations ?? {};
  return {
    ...written,
    expr,
    ...(holds !== undefined && { for: holds }),
    annotations: {
      ...annotations,
      ...(runbook_url !== undefined && { runbook_url: runbooks + runbook_url }),
    },
  };
}

/** What the rules in the files take from the configuration, as series. */
function configurationGroup({ thresholds, otherClusters }: RulesArgs): RuleGroup {
  const values = {
    error_ratio: thresholds.errorPercent / 100,
    errors_times_stable: thresholds.errorsTimesStable,
    latency_milliseconds: thresholds.latencyMs,
    latency_times_stable: thresholds.latencyTimesStable,
    least_requests: thresholds.leastRequests,
    share_deviations: thresholds.shareDeviations,
    certificate_seconds: thresholds.certificateDays * 86_400,
    remote_clusters: otherClusters,
  };
  return {
    name: "istio-canary-configuration",
    rules: Object.entries(values).map(([name, value]) => ({
      record: "istio_canary:threshold",
      expr: `vector(${value})`,
      labels: { name },
    })),
  };
}
