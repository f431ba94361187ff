import http from "node:http";
import { Duplex, PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { PortForward, type V1Pod } from "@kubernetes/client-node";

import { podKey, type ClusterClient } from "./cluster-client.ts";
import { explain, Transient } from "./explain.ts";
import { within } from "../lib/within.ts";
import type { HttpAnswer } from "./http-get.ts";
import { webSockets } from "./web-sockets.ts";

/**
 * No answer of a proxy's admin port takes longer than this, in milliseconds. Less than a check may
 * take, which can then name the pod.
 */
const TIMEOUT_MS = 10_000;

/** GETs a JSON document from a port inside a pod; see `get`. */
export async function getJson(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  path: string,
): Promise<unknown> {
  return JSON.parse(await get(cluster, pod, port, path)) as unknown;
}

/**
 * GETs a text from a port inside a pod; see `ask`.
 *
 * @throws if the answer is not 200, or does not come in time
 */
export async function get(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { status, body } = await ask(cluster, pod, port, path, headers);
  if (status === 200) return body;
  throw new Error(`${place(cluster, pod, port)}${path} answered ${status || "nothing"}`);
}

function place(cluster: ClusterClient, pod: V1Pod, port: number): string {
  const { namespace, name } = podKey(pod);
  return `${namespace}/${name}:${port} of ${cluster.name}`;
}

/**
 * GETs what a port inside a pod answers, whatever its status, through the API server's port-forward: it
 * reaches ports that listen on the pod's loopback only, such as Envoy's admin port.
 *
 * @param headers beside those of HTTP itself. @default none
 * @throws if the answer does not come in time
 */
export async function ask(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const { namespace, name } = podKey(pod);
  const where = place(cluster, pod, port);
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const errors = new PassThrough();
  const handler = webSockets(cluster.kubeConfig, TIMEOUT_MS);
  const forward = new PortForward(cluster.kubeConfig, false, handler).portForward(
    namespace,
    name,
    [port],
    fromPod,
    errors,
    toPod,
  );
  // A pod that ends meanwhile has said all that it will.
  const opened = forward.then(
    (socket) => {
      if (typeof socket !== "function") socket.onclose = () => fromPod.end();
    },
    (error: unknown) => {
      throw new Transient(`cannot reach ${where}: ${explain(error)}`);
    },
  );
  // However late it opens, the connection must not outlive the request.
  const close = () => {
    forward.then(
      (socket) => {
        if (typeof socket !== "function") socket.close();
      },
      () => undefined,
    );
  };
  const late = `${where}${path} did not answer within ${TIMEOUT_MS / 1000} s`;
  const answer = async () => {
    await opened;
    return new Promise<HttpAnswer>((resolve, reject) => {
      const broken = (error: unknown) => {
        reject(new Transient(`${where}${path} did not answer: ${explain(error)}`));
      };
      errors.once("data", (message: Buffer) => {
        reject(new Transient(`cannot reach ${where}: ${message.toString().trim()}`));
      });
      http
        .get(
          {
            path,
            headers,
            host: "localhost",
            createConnection: () => Duplex.from({ readable: fromPod, writable: toPod }),
          },
          (response) => {
            const { statusCode: status = 0 } = response;
            text(response).then((body) => {
              resolve({ status, body });
            }, broken);
          },
        )
        .on("error", broken);
    });
  };
  try {
    return await within(TIMEOUT_MS, answer(), late);
  } finally {
    close();
  }
}
