import { readRoute, serviceKey } from "../read-deployed.ts";
import type { Check } from "./check.ts";

/** What was decided at the start of the program holds for what it has seen then. */
export const unchanged: Check = {
  name: "the routes are as they were when the update began",
  run: async ({ cluster, rises }) => {
    const findings = await Promise.all(
      rises.map(async (rise) => {
        const before = rise.changes.get(cluster.name)?.route.generation;
        const now = (await readRoute(cluster, rise))?.generation;
        return before === undefined || before === now
          ? []
          : [
              {
                seen: `somebody has changed those of ${serviceKey(rise)} since`,
                fix: "Run pulumi up again: it starts from what there is now.",
                mayHeal: false,
              },
            ];
      }),
    );
    return findings.flat();
  },
};
