import http from "node:http";

import type { V1Pod } from "@kubernetes/client-node";

import type { ClusterClient } from "./cluster-client.ts";
import type { HttpAnswer } from "./http-get.ts";
import { askPort, portName } from "./pod-port.ts";

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
  return (await getBytes(cluster, pod, port, path, headers)).toString();
}

/**
 * The same as it comes, for answers of megabytes that need not be read as a text.
 *
 * @throws if the answer is not 200, or does not come in time
 */
export async function getBytes(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const { status, body } = await askBytes(cluster, pod, port, path, headers);
  if (status === 200) return body;
  throw new Error(`${portName(cluster, pod, port)}${path} answered ${status || "nothing"}`);
}

/**
 * GETs what a port inside a pod answers, whatever its status; see `askPort`.
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
  const { status, body } = await askBytes(cluster, pod, port, path, headers);
  return { status, body: body.toString() };
}

async function askBytes(
  cluster: ClusterClient,
  pod: V1Pod,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return askPort(
    cluster,
    pod,
    port,
    path,
    (connection) =>
      new Promise((resolve, reject) => {
        http
          .get(
            { path, headers, host: "localhost", createConnection: () => connection },
            (response) => {
              const { statusCode: status = 0 } = response;
              response.toArray().then((chunks: Buffer[]) => {
                resolve({ status, body: Buffer.concat(chunks) });
              }, reject);
            },
          )
          .on("error", reject);
      }),
  );
}
