import { rolloutConfig } from "../../lab/service-config.ts";

/**
 * Keys of a rollout for tests that are not about how many requests a gate needs. Without the gate on the share,
 * requests of the weight before may be among those that are counted.
 */
export const quickRollout = {
  ...rolloutConfig,
  bake: "5s",
  interval: "2s",
  settle: "2s",
  unreachableLimit: "5s",
  gates: {
    without: ["share"],
    minSamples: 20,
    successRate: { precision: 50 },
    latency: { precision: 50 },
  },
};
