import { createServer, type AddressInfo, type Socket } from "node:net";

import { KubeConfig } from "@kubernetes/client-node";
import { expect, it } from "vitest";

import { webSockets } from "../../../fleet/web-sockets.ts";

it("gives a connection up that an API server accepts without a word", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: "a", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: "me" },
  );
  try {
    await expect(webSockets(kubeConfig, 50).connect("/", null, null)).rejects.toMatchObject({
      message: "Opening handshake has timed out",
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});
