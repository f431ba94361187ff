import { GROUP, VERSION } from "./kinds.ts";
import { ROLE_LABEL, VERSION_LABELS } from "../version-labels.ts";

/**
 * Configuration by which kube-state-metrics serves the weights of VirtualServices as
 * `istio_canary_weight`, one series for each version. Only the last rule counts: it is the one for
 * the service's own host. The labels `stable_version` and `canary_version` are on those alone that this
 * program has written, `chain_role` on those of a chain: the weights of a follower say nothing of its share.
 */
export const WEIGHT_METRICS = {
  kind: "CustomResourceStateMetrics",
  spec: {
    resources: [
      {
        groupVersionKind: {
          group: GROUP,
          version: VERSION,
          kind: "VirtualService",
        },
        metricNamePrefix: "istio_canary",
        labelsFromPath: {
          destination_service_name: ["metadata", "name"],
          destination_service_namespace: ["metadata", "namespace"],
          stable_version: ["metadata", "labels", VERSION_LABELS.stable],
          canary_version: ["metadata", "labels", VERSION_LABELS.canary],
          chain_role: ["metadata", "labels", ROLE_LABEL],
        },
        metrics: [
          {
            name: "weight",
            help: "Percent of a service's requests that a version gets, as its VirtualService says",
            each: {
              type: "Gauge",
              gauge: {
                path: ["spec", "http", "-1", "route"],
                labelsFromPath: { destination_version: ["destination", "subset"] },
                valueFrom: ["weight"],
              },
            },
          },
        ],
      },
    ],
  },
};
