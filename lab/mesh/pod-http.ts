import http from "node:http";
import { Duplex, PassThrough } from "node:stream";
import { json } from "node:stream/consumers";

import { PortForward, type V1Pod } from "@kubernetes/client-node";

import { podKey, type MeshCluster } from "./cluster.ts";

/** No answer of a proxy's admin port takes longer than this, in milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * GETs a JSON document from a port inside a pod, through the API server's port-forward: it reaches
 * ports that listen on the pod's loopback only, such as Envoy's admin port.
 */
export async function getJson(
  cluster: MeshCluster,
  pod: V1Pod,
  port: number,
  path: string,
): Promise<unknown> {
  const { namespace, name } = podKey(pod);
  const where = `${namespace}/${name}:${port} of ${cluster.name}`;
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const errors = new PassThrough();
  const socket = await new PortForward(cluster.kubeConfig, false).portForward(
    namespace,
    name,
    [port],
    fromPod,
    errors,
    toPod,
  );
  try {
    return await new Promise((resolve, reject) => {
      errors.once("data", (message: Buffer) => {
        reject(new Error(`cannot reach ${where}: ${message.toString().trim()}`));
      });
      http
        .get(
          {
            path,
            host: "localhost",
            timeout: TIMEOUT_MS,
            createConnection: () => Duplex.from({ readable: fromPod, writable: toPod }),
          },
          (response) => {
            if (response.statusCode !== 200) {
              reject(new Error(`${where}${path} answered ${response.statusCode ?? "nothing"}`));
            } else json(response).then(resolve, reject);
          },
        )
        .on("timeout", () => {
          reject(new Error(`${where}${path} did not answer within ${TIMEOUT_MS / 1000} s`));
        })
        .on("error", reject);
    });
  } finally {
    if (typeof socket !== "function") socket.close();
  }
}
