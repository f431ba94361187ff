import { SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";

/** Port of istiod's readiness and debug pages. */
export const ISTIOD_HTTP_PORT = 8080;

/** The running pods of a cluster's istiod. */
export function istiodPods(cluster: ClusterClient) {
  return cluster.runningPods("app=istiod", SYSTEM_NAMESPACE);
}
