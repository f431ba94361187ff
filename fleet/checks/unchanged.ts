import { serviceKey } from "../../lib/names.ts";
import { clusterRouting } from "../routing/index.ts";
import type { Check } from "./check.ts";

/** What was decided at the start of the program holds for what it has seen then. */
export const unchanged: Check = {
  name: "the routes are as they were when the update began",
  run: async ({ cluster, rises }) => {
    const found = await clusterRouting.read(cluster, rises);
    const states = new Map(found.map((each) => [serviceKey(each), each.route.resourceVersion]));
    return rises.flatMap((rise) => {
      // The write is refused in any other state, be it a label alone that differs.
      const before = rise.changes.get(cluster.name)?.route.resourceVersion;
      const now = states.get(serviceKey(rise));
      return before === undefined || before === now
        ? []
        : [
            {
              seen: `the VirtualService of ${serviceKey(rise)} was modified after this update began`,
              fix: "Run pulumi up again: it starts from what there is now.",
              mayHeal: false,
            },
          ];
    });
  },
};
