import type { ChainRole } from "../mark.ts";
import type { Split } from "../weights.ts";

/**
 * On a VirtualService: which versions its weights are for. kube-state-metrics serves them with the
 * weights, so that alerts know the versions of every service of a cluster, whichever stack releases it.
 */
export const VERSION_LABELS = {
  stable: "istio-canary/stable",
  canary: "istio-canary/canary",
} as const;

/** On a VirtualService of a chain: what the service is there. A follower's weights say nothing of its share. */
export const ROLE_LABEL = "istio-canary/role";

/** The labels for a service; that of the canary is empty while there is none. */
export function versionLabels(
  { stable, canary = "" }: Pick<Split, "stable" | "canary">,
  role?: ChainRole,
) {
  return {
    [VERSION_LABELS.stable]: stable,
    [VERSION_LABELS.canary]: canary,
    ...(role !== undefined && { [ROLE_LABEL]: role }),
  };
}
