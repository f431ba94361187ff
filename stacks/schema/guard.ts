import * as z from "zod";
import { durationMs } from "../../lib/duration.ts";
import { DURATION, image, key, text } from "./values.ts";

/** A guard in every cluster. */
export const guard = z.strictObject({
  image: key(image("registry.example.com/istio-canary:0.1.0"), {
    description:
      "Image of the guards: this program as its Containerfile builds it, of the same version.",
    effect: "Recreates each cluster's guard. No weight waits for it.",
    examples: ["registry.example.com/istio-canary:0.1.0"],
  }),
  partitionLimit: key(
    text(
      (value) => value === "never" || (DURATION.test(value) && durationMs(value) >= 1),
      "must be a duration of at least 1ms with its unit (h, m, s or ms), or never",
      "For example: 10m.",
      { pattern: `${DURATION.source}|^never$` },
    ).default("10m"),
    {
      description:
        "How long a guard that reaches no other cluster waits before it lowers the canary in its own. never: until its own gates fail.",
      examples: ["10m", "never"],
    },
  ),
});

export type Guard = z.output<typeof guard>;
