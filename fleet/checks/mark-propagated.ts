import type { Check } from "./check.ts";

/** A service that loses the mark would answer for the canary's requests with stable versions. */
export const markPropagated: Check = {
  name: "every service propagates the chain's mark",
  run: async ({ cluster, probe }) => {
    const findings = (await probe?.()) ?? [];
    return findings.filter((finding) => (finding.cluster ?? cluster.name) === cluster.name);
  },
};
