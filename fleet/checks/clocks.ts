import type { Check, Finding } from "./check.ts";

/** Certificates are not valid yet where the clock is behind; Envoys' times say nothing where they differ. */
export const clocks: Check = {
  name: "the clocks agree",
  run: async ({ cluster, clusters, limits }) => {
    await Promise.all(clusters.map((each) => each.core.readNamespace({ name: "default" })));
    const own = cluster.clockAheadMs;
    return clusters.flatMap(({ name, clockAheadMs }): readonly Finding[] => {
      if (own === undefined || clockAheadMs === undefined) {
        return [
          {
            seen: "an API server sends no time",
            fix: "Check the Date header of its responses.",
            mayHeal: false,
          },
        ];
      }
      const ahead = own - clockAheadMs;
      return ahead > limits.clockSkewMs
        ? [
            {
              seen: `its API server's clock is ${Math.round(ahead / 1000)} s ahead of ${name}'s`,
              fix: "Set the nodes' clocks by NTP, or raise safety.clockSkew.",
              // An answer that was long on its way makes the other clock look ahead.
              mayHeal: true,
            },
          ]
        : [];
    });
  },
};
