import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import tls from "node:tls";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { isTransient } from "../../../fleet/explain.ts";
import { servedChain } from "../../../fleet/served-chain.ts";
import { issueCertificate, type IssuedPems } from "../../../lib/issue-certificate.ts";

const pod = { metadata: { name: "istiod-1", namespace: "istio-system" } };
const opened: { close: () => unknown }[] = [];

async function listening(server: ReturnType<typeof createServer> | tls.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(server);
  return (server.address() as AddressInfo).port;
}

/** A cluster whose port-forwards lead to a port of this machine. */
async function clusterBefore(target: number): Promise<ClusterClient> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: ([first]) => first ?? "" });
  sockets.on("connection", (socket) => {
    const frame = (content: Buffer | string) =>
      Buffer.concat([Buffer.from([0]), Buffer.from(content)]);
    socket.send(frame("\0\0"));
    const toPod = connect(target, "127.0.0.1");
    toPod.on("data", (content: Buffer) => {
      socket.send(frame(content));
    });
    toPod.on("close", () => {
      socket.close();
    });
    toPod.on("error", () => {
      socket.close();
    });
    socket.on("message", (content: Buffer) => toPod.write(content.subarray(1)));
    socket.on("close", () => toPod.destroy());
  });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: "a", server: `http://127.0.0.1:${await listening(server)}`, skipTLSVerify: true },
    { name: "me" },
  );
  return { name: "cluster-a", kubeConfig } as unknown as ClusterClient;
}

async function issue(commonName: string, issuer?: IssuedPems): Promise<IssuedPems> {
  const by = issuer && { issuerCertificate: issuer.certificate, issuerKey: issuer.privateKey };
  return issueCertificate({ commonName, organization: "mesh", days: 30, pathLength: 2, ...by });
}

/** A port that serves TLS by a chain, and asks for a certificate without insisting, as istiod does. */
async function tlsPort(...chain: readonly IssuedPems[]): Promise<number> {
  return listening(
    tls.createServer({
      cert: chain.map(({ certificate }) => certificate).join(""),
      key: chain[0]?.privateKey,
      ALPNProtocols: ["h2"],
      requestCert: true,
      rejectUnauthorized: false,
    }),
  );
}

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

describe("the certificates by which a port of a pod serves", () => {
  it("are all that it sends, its own first", async () => {
    const root = await issue("root");
    const authority = await issue("authority", root);
    const leaf = await issue("istiod", authority);
    const names = async (...chain: readonly IssuedPems[]) => {
      const cluster = await clusterBefore(await tlsPort(...chain));
      const served = await servedChain(cluster, pod, 15012);
      return served.map(({ subject }) => /CN=(.*)/.exec(subject)?.[1]);
    };
    expect(await names(leaf, authority, root)).toEqual(["istiod", "authority", "root"]);
    expect(await names(leaf, authority)).toEqual(["istiod", "authority"]);
    expect(await names(leaf)).toEqual(["istiod"]);
  });

  it("are not known from a port that speaks no TLS, or is closed; it is worth another look", async () => {
    const plain = await listening(createServer());
    const closed = 1;
    for (const port of [plain, closed]) {
      const failure = await servedChain(await clusterBefore(port), pod, 15012).catch(
        (error: unknown) => error,
      );
      expect(String(failure)).toContain(
        "istio-system/istiod-1:15012 of cluster-a (TLS) did not answer: ",
      );
      expect(isTransient(failure)).toBe(true);
    }
  });
});
