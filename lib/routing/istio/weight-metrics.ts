import { GROUP, VERSION } from "./kinds.ts";
import { ROLE_LABEL, VERSION_LABELS } from "../version-labels.ts";

/** The rule for the service's own host: its destinations are stable, and the canary if there is one. */
const LAST_ROUTE = ["spec", "http", "-1", "route"];

/**
 * Configuration by which kube-state-metrics serves the weights of VirtualServices as
 * `istio_canary_weight`, one series for each version, which `destination_version` names as its subset. Only the last
 * rule counts. The labels `stable_version` and `canary_version` are on those alone that this program has written, the
 * versions as they are written; `stable_subset` and `canary_subset` say which subsets are theirs. `chain_role` is on
 * those of a chain: the weights of a follower say nothing of its share.
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
          stable_subset: [...LAST_ROUTE, "0", "destination", "subset"],
          canary_subset: [...LAST_ROUTE, "1", "destination", "subset"],
          chain_role: ["metadata", "labels", ROLE_LABEL],
        },
        metrics: [
          {
            name: "weight",
            help: "Percent of a service's requests that a version gets, as its VirtualService says",
            each: {
              type: "Gauge",
              gauge: {
                path: LAST_ROUTE,
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
