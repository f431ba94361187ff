/**
 * How long a client keeps a connection to another cluster's pods, in seconds. Their gateway passes it through, so it cannot
 * ask for its end: a request on one that is kept for longer than the gateway waits would be cut off.
 */
export const CONNECTION_SECONDS = 30;

/**
 * How long a gateway's pod that is to end waits for its connections, in seconds: for the youngest, and for a last request of
 * it that takes as long again. It ends as soon as it has none.
 */
export const GATEWAY_DRAIN_SECONDS = 2 * CONNECTION_SECONDS;
