import { readRoute } from "../read-deployed.ts";
import { serviceKey } from "../../lib/names.ts";
import type { Check } from "./check.ts";

/** What was decided at the start of the program holds for what it has seen then. */
export const unchanged: Check = {
  name: "the routes are as they were when the update began",
  run: async ({ cluster, rises }) => {
    const findings = await Promise.all(
      rises.map(async (rise) => {
        // The write is refused in any other state, be it a label alone that differs.
        const before = rise.changes.get(cluster.name)?.route.resourceVersion;
        const now = (await readRoute(cluster, rise))?.resourceVersion;
        return before === undefined || before === now
          ? []
          : [
              {
                seen: `somebody has changed the VirtualService of ${serviceKey(rise)} since`,
                fix: "Run pulumi up again: it starts from what there is now.",
                mayHeal: false,
              },
            ];
      }),
    );
    return findings.flat();
  },
};
