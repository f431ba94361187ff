import type { Check } from "./check.ts";

/** A service that loses the mark would answer for the canary's requests with stable versions. */
export const markHandedOn: Check = {
  name: "every service hands the chain's mark on",
  run: async ({ cluster, probe }) => {
    const findings = (await probe?.()) ?? [];
    return findings.filter((finding) => (finding.cluster ?? cluster.name) === cluster.name);
  },
};
