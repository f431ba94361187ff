import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { KubernetesClient } from "../../standins/kubernetes-provider/client.ts";

/** A client of an API server that answers as told. */
async function clientOf(answer: RequestListener): Promise<KubernetesClient> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return new KubernetesClient({
    server: new URL(`http://127.0.0.1:${port}`),
    namespace: undefined,
    source: { text: "" },
    context: "here",
    headers: {},
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2" },
  });
}

it("sends a request again, unless it creates, that met a connection which the server had just closed", async () => {
  const used = new Set<Socket>();
  const client = await clientOf(({ socket }, response) => {
    if (used.has(socket)) socket.destroy();
    else response.end("{}");
    used.add(socket);
  });
  await client.json("GET", "/one");
  await client.json("PATCH", "/two", { body: { a: 1 } });
  expect(used.size).toBe(2);
  await expect(client.json("POST", "/three", { body: {} })).rejects.toThrow("socket hang up");
});

it("does not send a request again that a new connection has lost: the server may have seen it", async () => {
  let requests = 0;
  const client = await clientOf(({ socket }) => {
    requests += 1;
    socket.destroy();
  });
  await expect(client.json("PATCH", "/one", { body: {} })).rejects.toThrow("socket hang up");
  expect(requests).toBe(1);
});
