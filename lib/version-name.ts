import { createHash } from "node:crypto";
import { isDnsLabel } from "./names.ts";

/** Digits of the digest, by which names of versions that read alike differ. */
const DIGEST_LENGTH = 8;
const READABLE_LENGTH = 63 - DIGEST_LENGTH - 1;

/**
 * The DNS label that stands for a version where Istio and Kubernetes take no other text: in the names of subsets and of
 * objects. A version that is one is its own; another, as `1.16.0`, is made readable as one, with a digest of it behind:
 * no two versions share a name. (Istio: validateSubsetName)
 */
export function versionName(version: string): string {
  if (isDnsLabel(version)) return version;
  const readable = version.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const digest = createHash("sha256").update(version).digest("hex").slice(0, DIGEST_LENGTH);
  return `${readable.slice(0, READABLE_LENGTH).replaceAll(/^-|-$/g, "")}-${digest}`;
}

/** Name of what the program makes for a version of a service: Deployment, disruption budget, autoscaler. */
export function workloadName(service: string, version: string): string {
  return `${service}-${versionName(version)}`;
}
