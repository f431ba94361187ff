import { LEAVE_ALONE } from "../fleet/written-over.ts";
import { isForeign, type ReleasePlan } from "./release-plan.ts";

/** Whose rules a controller applies too, for a person. @returns undefined if there are none */
export function appliedByOthers({ routes }: Pick<ReleasePlan, "routes">): string | undefined {
  const found = routes.flatMap(({ service, cluster, key, deployed }) =>
    deployed?.appliedBy === undefined || isForeign(service, deployed)
      ? []
      : [` - ${cluster}: VirtualService ${key}, by field manager ${deployed.appliedBy}`],
  );
  if (found.length === 0) return undefined;
  return [
    "Somebody else applies the rules of this program's routes too:",
    ...found,
    "A weight that it writes over is taken back in all clusters.",
    LEAVE_ALONE,
  ].join("\n");
}
