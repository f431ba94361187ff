import type { Check } from "./check.ts";

/** A write is of no use where nobody answers. */
export const apiServer: Check = {
  name: "the API server answers",
  run: async ({ cluster, rises }) => {
    await Promise.all(
      rises.map(({ namespace }) => cluster.core.readNamespace({ name: namespace })),
    );
    return [];
  },
};
