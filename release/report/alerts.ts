import type { Range } from "../../fleet/prometheus.ts";
import type { RangeMetrics } from "./collect.ts";
import type { ReportAlert } from "./report-data.ts";

/** A stretch of time goes on if the next point is no further away than so many steps. */
const GAP_STEPS = 1.5;

/** The stretches in which a cluster's alerts have fired, as its Prometheus has recorded it, oldest first. */
export async function firedAlerts(
  cluster: string,
  metrics: RangeMetrics,
  range: Range,
): Promise<readonly ReportAlert[]> {
  // A Prometheus of several clusters has those of the others, too.
  const found = await metrics.queryRange(
    `ALERTS{alertstate="firing",cluster=~${JSON.stringify(`${cluster}|`)}}`,
    range,
  );
  return found
    .flatMap(({ labels, points }) => {
      const [namespace, service] = [
        labels["destination_service_namespace"],
        labels["destination_service_name"],
      ];
      const version = labels["destination_version"];
      const about = {
        cluster,
        alert: labels["alertname"] ?? "",
        ...(namespace !== undefined &&
          service !== undefined && { service: `${namespace}/${service}` }),
        ...(version !== undefined && { version }),
      };
      return stretches(
        points.map(([time]) => time),
        range,
      ).map((stretch) => ({ ...about, ...stretch }));
    })
    .sort((one, other) => one.from - other.from);
}

function stretches(
  times: readonly number[],
  { to, stepMs }: Range,
): Pick<ReportAlert, "from" | "to">[] {
  const begins = times.filter((time, i) => time - (times[i - 1] ?? -Infinity) > GAP_STEPS * stepMs);
  return begins.map((from, i) => {
    const next = begins[i + 1] ?? Infinity;
    const last = times.findLast((time) => time < next) ?? from;
    return { from, ...(to - last > GAP_STEPS * stepMs && { to: last }) };
  });
}
