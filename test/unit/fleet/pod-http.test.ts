import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { isTransient } from "../../../fleet/explain.ts";
import { get } from "../../../fleet/pod-http.ts";

const pod = { metadata: { name: "job", namespace: "user" } };
let server: Server | undefined;

/** A cluster whose API server does this with a connection to a pod, or knows no pod. */
async function clusterWith(opened?: (socket: WebSocket) => void): Promise<ClusterClient> {
  const made = createServer();
  server = made;
  if (opened) {
    const sockets = new WebSocketServer({
      server: made,
      handleProtocols: ([first]) => first ?? "",
    });
    sockets.on("connection", opened);
  } else {
    made.on("upgrade", (_request, socket) => {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    });
  }
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  const { port } = made.address() as AddressInfo;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: "a", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: "me" },
  );
  return { name: "cluster-a", kubeConfig } as unknown as ClusterClient;
}

/** What the API server sends of a stream: its number, and the first time the port too. */
const frame = (stream: number, text: string) =>
  Buffer.concat([Buffer.from([stream]), Buffer.from(text)]);
const PORT = "\0\0";

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe("a request to a pod", () => {
  it("has the pod's answer", async () => {
    const cluster = await clusterWith((socket) => {
      socket.send(frame(0, PORT));
      socket.on("message", () => {
        socket.send(frame(0, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nLIVE"));
      });
    });
    expect(await get(cluster, pod, 15000, "/ready")).toBe("LIVE");
  });

  it.each([
    [
      "before it has answered",
      (socket: WebSocket) => {
        socket.close();
      },
    ],
    [
      "while it answers",
      (socket: WebSocket) => {
        socket.send(frame(0, `${PORT}HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\nLI`));
        socket.close();
      },
    ],
  ])(
    "fails at once when the pod ends %s",
    async (_, ends) => {
      const cluster = await clusterWith(ends);
      const failure = await get(cluster, pod, 15000, "/ready").catch((error: unknown) => error);
      expect(String(failure)).toContain("user/job:15000 of cluster-a/ready did not answer: ");
      expect(isTransient(failure)).toBe(true);
    },
    5_000,
  );

  it("says that there is no such pod", async () => {
    await expect(get(await clusterWith(), pod, 15000, "/ready")).rejects.toThrow(
      "cannot reach user/job:15000 of cluster-a: Unexpected server response: 404",
    );
  });
});
