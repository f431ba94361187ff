/**
 * For objects that this program alone owns: an update takes back a field that somebody else has
 * changed in the cluster, instead of failing on the conflict of server-side apply.
 */
export const OWNED = { "pulumi.com/patchForce": "true" } as const;

/** On a VirtualService: which state of it the last change of weights was made from. */
export const REPLACES = "istio-canary/replaces";
