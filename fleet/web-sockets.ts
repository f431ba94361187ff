import type { KubeConfig } from "@kubernetes/client-node";
import { WebSocketHandler } from "@kubernetes/client-node/dist/web-socket-handler.js";
import { WebSocket } from "ws";

/**
 * The WebSockets of a cluster's API server. Without a limit, a connection to a server that accepts it
 * and says nothing would be awaited forever, and keep the process alive.
 *
 * @param openWithinMs longest wait until one is open, in milliseconds
 */
export function webSockets(kubeConfig: KubeConfig, openWithinMs: number): WebSocketHandler {
  return new WebSocketHandler(
    kubeConfig,
    (uri, protocols, options) =>
      new WebSocket(uri, protocols, { ...options, handshakeTimeout: openWithinMs }),
  );
}
