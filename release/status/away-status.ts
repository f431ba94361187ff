import { serviceKey } from "../../lib/names.ts";
import { weightIn } from "../../lib/release-rules.ts";
import type { ReleaseSettings } from "../../stacks/config.ts";
import { lastTraffic } from "../../stacks/kept-versions.ts";
import { judgedServices } from "../release-settings.ts";
import type { ClusterStatus } from "./cluster-status.ts";

/**
 * How the clusters that are away stand. They keep the weights that they had in the last complete update that knew them.
 *
 * @param lastKnown what that update has said of all clusters; undefined if nobody knows
 */
export function awayStatus(
  settings: ReleaseSettings,
  lastKnown: unknown,
): readonly ClusterStatus[] {
  return Object.entries(lastTraffic(settings.away, lastKnown)).map(([cluster, traffic]) => {
    const keys = judgedServices(settings).map((judged) => [serviceKey(judged), judged] as const);
    const weights = keys.flatMap(([key, { canary }]) => {
      const share = traffic[key]?.[canary];
      return share === undefined ? [] : [[key, share] as const];
    });
    // Of those that have got another canary meanwhile.
    const kept = keys.flatMap(([key, { canary }]) => {
      const shares = traffic[key];
      return shares === undefined || canary in shares ? [] : [[key, shares] as const];
    });
    return {
      cluster,
      config: weightIn(settings, cluster),
      quarantined: false,
      away: true,
      ...(settings.drain?.includes(cluster) === true && { drained: true }),
      weights: Object.fromEntries(weights),
      ...(kept.length > 0 && { kept: Object.fromEntries(kept) }),
      ...{ envoys: 0, serving: 0, drift: [] },
    };
  });
}
