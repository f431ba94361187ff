import { markText, type Mark } from "../mark.ts";
import type { IngressRouting, RouteArgs } from "./routing.ts";

/**
 * For objects that this program alone owns: an update takes back a field that somebody else has
 * changed in the cluster, instead of failing on the conflict of server-side apply.
 */
export const OWNED = { "pulumi.com/patchForce": "true" } as const;

/** On a VirtualService: which state of it the last change of weights was made from. */
export const REPLACES = "istio-canary/replaces";

/** On a VirtualService: whose the service's pods are. Without it, this program makes them. */
export const WORKLOAD = "istio-canary/workload";

/** On a VirtualService of a service whose pods others have made. */
export const EXISTING = { [WORKLOAD]: "existing" } as const;

/** On a VirtualService: the kubeconfig contexts of all clusters that are released together, as a JSON list. */
export const CONTEXTS = "istio-canary/contexts";

/** On the VirtualService of a chain's entry: all services of the chain, as `namespace/name`. */
export const CHAIN = "istio-canary/chain";

/** On the VirtualService of a chain's entry: how it marks. */
export const MARK = "istio-canary/mark";

/** Tells the chain's services and its mark, by which a later update sees what it would change of them. */
export function chainAnnotations(mark: Mark, members: readonly string[]) {
  return { [CHAIN]: [...members].sort().join(" "), [MARK]: markText(mark) };
}

/** On a VirtualService: what else than the versions its destinations are made from. */
const DESTINATIONS = "istio-canary/destinations";

/**
 * Changes the VirtualService with the policies, ports and kept versions, which are in other objects: only then is what
 * they lead to recorded, and only after all clusters have them. With none of them it is left out.
 */
export function destinationsAnnotation({
  policies,
  ports,
  kept,
}: Pick<RouteArgs, "policies" | "ports" | "kept">) {
  return (
    (policies ?? ports ?? kept) && {
      [DESTINATIONS]: JSON.stringify({ ...policies, ports, kept }),
    }
  );
}

/** On a VirtualService: which paths of its hosts at the gateway are the service's, and which it knows to be others'. */
export const INGRESS_PATHS = "istio-canary/ingress-paths";

/** Tells other stacks with services on the same host. Without any paths it is left out. */
export function ingressAnnotation({ paths, othersPaths: others }: IngressRouting = {}) {
  return (paths ?? others) && { [INGRESS_PATHS]: JSON.stringify({ paths, others }) };
}

/** On a VirtualService: when a write was fenced off. The next write of the rules takes it away. */
export const FENCED = "istio-canary/fenced-at";
