import { alertNames } from "../monitoring/rules.ts";
import { nearest } from "../lib/nearest.ts";
import type { Problem } from "../lib/problems.ts";
import { durationMs, type Monitoring } from "./schema.ts";

/** Rules that span several keys of `monitoring`. */
export function monitoringProblems(monitoring: Monitoring): Problem[] {
  const { mode, alerts, scrapeInterval, window, alertmanager } = monitoring;
  const known = alertNames();
  const problems: Problem[] = Object.keys(alerts)
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: `monitoring.alerts.${name}`,
      value: name,
      rule: "must be the name of an alert",
      fix: `Write ${nearest(name, known) ?? "one of its names"}; docs/alerts.md lists all of them.`,
    }));
  if (durationMs(scrapeInterval) * 4 > durationMs(window)) {
    problems.push({
      path: "monitoring.scrapeInterval",
      value: scrapeInterval,
      rule: `must not be longer than a quarter of monitoring.window, ${window}: a rate needs several samples`,
      fix: "Shorten it, or lengthen the window.",
    });
  }
  for (const receiver of ["slackUrl", "webhookUrl"] as const) {
    if (mode === "operator" && alertmanager[receiver] !== undefined) {
      problems.push({
        path: `monitoring.alertmanager.${receiver}`,
        rule: "must be left out in mode operator, whose Alertmanager is not the program's",
        fix: "Remove it, and set the receiver there.",
      });
    }
  }
  return problems;
}
