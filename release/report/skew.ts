import type { TimedEvent } from "../rollout-event.ts";
import type { Measurement, ReportPhase, Skew } from "./report-data.ts";

type Changes = readonly (readonly [number, number])[];

/**
 * When each cluster came to the weight of each phase, by the first reading that had it. Weights recur, so
 * each cluster's changes are gone through in the order of the phases.
 *
 * @param canaries versions on trial by service
 */
export function fleetSkew(
  phases: readonly ReportPhase[],
  measurements: readonly Measurement[],
  canaries: ReadonlyMap<string, string>,
  events: readonly TimedEvent[],
): readonly Skew[] {
  const clusters = new Map<string, Changes[]>();
  for (const { cluster, service, weight, weightFrom } of measurements) {
    const points = weight.find(({ version }) => version === canaries.get(service))?.points;
    const known = clusters.get(cluster) ?? [];
    clusters.set(cluster, points && weightFrom === "api-server" ? [...known, points] : known);
  }
  const arrivals = [...clusters].map(([cluster, services]) => ({
    cluster,
    // A cluster has a weight when the last of its services has.
    times: latest(services.map((changes) => arrivalsAt(phases, changes))),
  }));
  return phases.slice(1).map(({ weight, from }, i) => {
    const found = arrivals.map(({ cluster, times }) => ({ cluster, time: times[i + 1] }));
    const updateMs = orderToEnd(from, events);
    return {
      weight,
      seen: found
        .flatMap(({ cluster, time }) => (time === undefined ? [] : [{ cluster, time }]))
        .toSorted((one, other) => one.time - other.time),
      unseen: found.flatMap(({ cluster, time }) => (time === undefined ? [cluster] : [])),
      ...(updateMs !== undefined && { updateMs }),
    };
  });
}

/** When one service in one cluster came to the weight of each phase. */
function arrivalsAt(
  phases: readonly ReportPhase[],
  changes: Changes,
): readonly (number | undefined)[] {
  const [first] = phases;
  let reached = changes.findLastIndex(([time]) => first !== undefined && time <= first.from);
  return phases.map(({ weight }, i) => {
    const next = changes.findIndex(
      ([, share], at) => at > reached && Math.round(share * 100) === weight,
    );
    if (i === 0 || next < 0) return undefined;
    reached = next;
    return changes[next]?.[0];
  });
}

function latest(
  services: readonly (readonly (number | undefined)[])[],
): readonly (number | undefined)[] {
  const [first = []] = services;
  return first.map((_, phase) => {
    const times = services.map((each) => each[phase]);
    return times.every((time) => time !== undefined) ? Math.max(...times) : undefined;
  });
}

/** From the request for a weight to the event that says that it is in force in every cluster. */
function orderToEnd(inForce: number, events: readonly TimedEvent[]): number | undefined {
  const order = events.findLast(
    ({ event, time }) =>
      (event === "raise" || event === "roll-back") && Date.parse(time) <= inForce,
  );
  return order && inForce - Date.parse(order.time);
}
