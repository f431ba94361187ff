import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import type { Probe } from "./plan.ts";

/** Time limit of one attempt, in milliseconds. */
const attemptMs = 3000;

/** Resolves if the URL answers with status 200, throws what it answered otherwise. */
export async function probeHttp(
  { url, client }: Extract<Probe, { kind: "http" }>,
  caFile: string,
): Promise<void> {
  const secure = url.startsWith("https:");
  const read = (file: string) => readFile(file, "utf8");
  const tls = secure
    ? {
        ca: await read(caFile),
        ...(client && { cert: await read(`${client}.crt`), key: await read(`${client}.key`) }),
      }
    : {};
  await new Promise<void>((resolve, reject) => {
    const options = { agent: false as const, timeout: attemptMs, ...tls };
    const request = (secure ? https : http).get(url, options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url} answered ${response.statusCode ?? 0}: ${lastLine(body)}`));
      });
    });
    request.on("timeout", () => {
      request.destroy(new Error(`${url} did not answer within ${attemptMs / 1000} s`));
    });
    request.on("error", reject);
  });
}

/** Resolves if something listens on the Unix socket. */
export async function probeSocket(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
