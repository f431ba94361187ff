import type * as k8s from "@pulumi/kubernetes";

type AutoscalerSpec = k8s.types.input.autoscaling.v2.HorizontalPodAutoscalerSpec;

/** Between how many pods a version is, and what decides. */
export interface AutoscalingArgs {
  /** Fewest pods. @default 2, or `max` if that is less */
  readonly min?: number | undefined;
  /** Most pods. */
  readonly max: number;
  /** CPU that pods may use on average, in percent of what they request. @default 70 unless there are `metrics` */
  readonly cpu?: number | undefined;
  /** Further metrics, as Kubernetes has them. @default none */
  readonly metrics?: readonly k8s.types.input.autoscaling.v2.MetricSpec[] | undefined;
}

/**
 * The autoscaler of a Deployment.
 *
 * @param deployment its name
 * @param atLeast pods that a release needs of it, as far as `max` allows. @default `min`
 */
export function canaryAutoscaler(
  deployment: string,
  { max, min = Math.min(2, max), cpu, metrics = [] }: AutoscalingArgs,
  atLeast = 0,
): AutoscalerSpec {
  const percent = cpu ?? (metrics.length === 0 ? 70 : undefined);
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deployment },
    minReplicas: Math.min(max, Math.max(min, atLeast)),
    maxReplicas: max,
    metrics: [
      ...(percent === undefined
        ? []
        : [
            {
              type: "Resource",
              resource: {
                name: "cpu",
                target: { type: "Utilization", averageUtilization: percent },
              },
            },
          ]),
      ...metrics,
    ],
  };
}
