import { recordedExpr } from "../../monitoring/rules.ts";

/** Part of a selector that picks one service in one cluster. */
export function matchers(cluster: string, service: string): string {
  const [namespace = "", name = ""] = service.split("/");
  return Object.entries({
    cluster,
    destination_service_namespace: namespace,
    destination_service_name: name,
  })
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(",");
}

/** A query for what a recording rule has recorded. */
export function recorded(record: string, of: string): string {
  return `${record}{${of}}`;
}

/**
 * A query for the same from the metrics that the rule is made of, for a Prometheus without the rules.
 *
 * @param window duration over which requests are counted
 */
export function spelledOut(record: string, of: string, window: string): string {
  return recordedExpr(record, window).replaceAll(
    /\bistio_[\w:]+\b(\{)?/g,
    (metric: string, selector?: string) => {
      if (metric.includes(":")) return `(${spelledOut(metric, of, window)})`;
      return selector === undefined
        ? `${metric}{${of}}`
        : `${metric.slice(0, -selector.length)}{${of},`;
    },
  );
}
