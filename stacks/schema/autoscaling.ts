import * as z from "zod";
import { key, rule, text, whole } from "./values.ts";

const METRIC_TYPES = ["Resource", "ContainerResource", "Pods", "Object", "External"];

/** One entry of a HorizontalPodAutoscaler's `spec.metrics`; its API server checks the rest in the preview. */
const metric = z.looseObject({
  type: key(
    text(
      (name) => METRIC_TYPES.includes(name),
      `must be the type of a metric: ${METRIC_TYPES.join(", ")}`,
      "Write it as in a HorizontalPodAutoscaler of autoscaling/v2.",
      { enum: METRIC_TYPES },
    ),
    {
      description: "Where the metric comes from; the key of the same name says which one it is.",
      examples: ["Pods"],
    },
  ),
});

/** Who decides how many pods a version has. */
export const autoscaling = z.strictObject({
  external: key(z.boolean().optional(), {
    description:
      "Whether somebody else's autoscaler decides, such as KEDA. Then the program makes none.",
    fallback: "false, the program makes a HorizontalPodAutoscaler for each version",
    rules: ["must be the only key of `autoscaling` where it is true"],
    examples: [true],
  }),
  min: key(whole(1, 1000, "For example: 3.").optional(), {
    description:
      "Fewest pods of a version in each cluster. While a canary serves requests, stable keeps at least as many as it had before, and the canary as many as its share of these.",
    fallback: "2, or `max` if that is less",
    rules: ["must not be greater than `max`"],
    examples: [3],
  }),
  max: key(whole(1, 1000, "For example: 20.").optional(), {
    description: "Most pods of a version in each cluster.",
    fallback: "none, it must be given unless `external` is true",
    rules: [
      "must not be less, while a canary serves requests, than stable had when the canary began",
    ],
    examples: [20],
  }),
  cpu: key(whole(1, 1000, "For example: 70.").optional(), {
    description:
      "CPU that the pods may use on average, in percent of what they request, sidecars included. More adds pods, less removes some.",
    fallback: "70, or not looked at where `metrics` is given",
    examples: [70],
  }),
  metrics: key(
    rule(
      z.array(metric).meta({ minItems: 1 }),
      (metrics) => metrics.length > 0,
      "must list at least one metric",
      "Remove it to scale by CPU.",
    ).optional(),
    {
      description:
        "What the autoscaler goes by, in addition to `cpu` where that is given too: `spec.metrics` of a HorizontalPodAutoscaler, as Kubernetes has it.",
      fallback: "none",
      examples: [
        [
          {
            type: "Pods",
            pods: {
              metric: { name: "requests_per_second" },
              target: { type: "AverageValue", averageValue: "100" },
            },
          },
        ],
      ],
    },
  ),
});
