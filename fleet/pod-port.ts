import { Duplex, PassThrough } from "node:stream";

import { PortForward, type V1Pod } from "@kubernetes/client-node";

import { within } from "../lib/within.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { explain, Transient } from "./explain.ts";
import { webSockets } from "./web-sockets.ts";

/**
 * No answer of a port takes longer than this, in milliseconds. Less than a check may take, which can then name the
 * pod.
 */
const TIMEOUT_MS = 10_000;

/** A port inside a pod, as errors name it. */
export function portName(cluster: ClusterClient, pod: V1Pod, port: number): string {
  const { namespace, name } = podKey(pod);
  return `${namespace}/${name}:${port} of ${cluster.name}`;
}

/**
 * Connects to a port inside a pod through the API server's port-forward, which reaches ports that listen on the pod's
 * loopback only, such as Envoy's admin port. The connection is closed once there is an answer.
 *
 * @param what is asked for, as in `/ready`, for the error
 * @param talk has the connection, and gives the answer
 * @throws if the answer does not come in time
 */
export async function askPort<T>(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  what: string,
  talk: (connection: Duplex) => Promise<T>,
): Promise<T> {
  const { namespace, name } = podKey(pod);
  const where = portName(cluster, pod, port);
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
  const answer = async () => {
    await opened;
    return new Promise<T>((resolve, reject) => {
      errors.once("data", (message: Buffer) => {
        reject(new Transient(`cannot reach ${where}: ${message.toString().trim()}`));
      });
      talk(Duplex.from({ readable: fromPod, writable: toPod })).then(resolve, (error: unknown) => {
        reject(new Transient(`${where}${what} did not answer: ${explain(error)}`));
      });
    });
  };
  const late = `${where}${what} did not answer within ${TIMEOUT_MS / 1000} s`;
  try {
    return await within(TIMEOUT_MS, answer(), late);
  } finally {
    close();
  }
}
