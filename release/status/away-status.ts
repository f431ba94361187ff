import * as z from "zod";
import { serviceKey } from "../../lib/names.ts";
import { weightIn } from "../../lib/release-rules.ts";
import type { ReleaseSettings } from "../../stacks/config.ts";
import { judgedServices } from "../release-settings.ts";
import type { ClusterStatus } from "./cluster-status.ts";

const clusters = z.record(
  z.string(),
  z.looseObject({ traffic: z.record(z.string(), z.record(z.string(), z.number())) }),
);

/**
 * How the clusters that are away stand. They keep the weights that they had in the last complete update that knew them.
 *
 * @param lastKnown what that update has said of all clusters; undefined if nobody knows
 */
export function awayStatus(
  settings: ReleaseSettings,
  lastKnown: unknown,
): readonly ClusterStatus[] {
  const known = clusters.safeParse(lastKnown).data ?? {};
  return settings.away.map((cluster) => {
    const traffic = known[cluster]?.traffic ?? {};
    const weights = judgedServices(settings).flatMap((judged) => {
      const key = serviceKey(judged);
      const share = traffic[key]?.[judged.canary];
      return share === undefined ? [] : [[key, share] as const];
    });
    return {
      cluster,
      config: weightIn(settings, cluster),
      quarantined: false,
      away: true,
      weights: Object.fromEntries(weights),
      ...{ envoys: 0, serving: 0, drift: [] },
    };
  });
}
