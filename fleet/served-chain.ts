import type { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import tls from "node:tls";

import type { V1Pod } from "@kubernetes/client-node";

import type { ClusterClient } from "./cluster-client.ts";
import { askPort } from "./pod-port.ts";

/** The certificates that a server gives, each followed by the one that has issued it. */
function chainOf(connection: Duplex): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      socket: connection,
      // gRPC refuses who does not speak it.
      ALPNProtocols: ["h2"],
      // What is served is looked at, not trusted; the API server has led to the pod.
      rejectUnauthorized: false,
    });
    const closed = () => {
      reject(new Error("it has closed the connection"));
    };
    socket.on("error", reject);
    socket.once("close", closed);
    socket.once("secureConnect", () => {
      const chain: X509Certificate[] = [];
      let next = socket.getPeerX509Certificate();
      while (next && !chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) {
        chain.push(next);
        next = next.issuerCertificate;
      }
      resolve(chain);
      socket.destroy();
    });
  });
}

/**
 * The certificates by which a port inside a pod serves TLS: its own first, then those that have issued it, as far as
 * the server sends them. No key is read for that.
 *
 * @throws if the port serves no TLS, or does not answer in time
 */
export async function servedChain(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
): Promise<readonly X509Certificate[]> {
  return askPort(cluster, pod, port, " (TLS)", chainOf);
}
