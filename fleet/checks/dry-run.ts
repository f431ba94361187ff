import { explain, isFinal } from "../explain.ts";
import { clusterRouting } from "../routing/index.ts";
import type { Check } from "./check.ts";

/** Schema, webhooks and admission policies have their say before anything is written. */
export const dryRun: Check = {
  name: "the API server would accept the change",
  run: async ({ cluster, rises }) => {
    const findings = await Promise.all(
      rises.map(async (rise) => {
        const change = rise.changes.get(cluster.name);
        try {
          if (change) await clusterRouting.write(cluster, rise, change.rules, { dryRun: true });
          return [];
        } catch (error) {
          const mayHeal = !isFinal(error);
          return [{ seen: explain(error), fix: "Fix what the API server rejected.", mayHeal }];
        }
      }),
    );
    return findings.flat();
  },
};
