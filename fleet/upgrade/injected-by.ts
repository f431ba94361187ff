import type { V1Pod } from "@kubernetes/client-node";
import { DEFAULT_REVISION, REVISION_LABEL } from "../../lib/revisions.ts";

/** The revision that has injected a pod's proxy: istiod says so in an annotation. */
export function injectedBy({ metadata }: V1Pod): string {
  return metadata?.annotations?.[REVISION_LABEL] ?? DEFAULT_REVISION;
}
