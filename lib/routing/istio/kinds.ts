/** Istio's API group for traffic. */
export const GROUP = "networking.istio.io";
export const VERSION = "v1";
/** How API servers name the kind in paths and rules. */
export const VIRTUAL_SERVICES = "virtualservices";
