import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough, type Readable } from "node:stream";

import { Log } from "@kubernetes/client-node";
import { execa } from "execa";

import { deleteClientPod, ensureClientPod } from "../mesh/client-pod.ts";
import { podKey, type ClusterClient } from "../../fleet/cluster-client.ts";
import { AnswerParser, CURL_WRITE_OUT, type Answer } from "./answers.ts";

/** Requests a second of one load client. Four clients share two cores with two clusters. */
const RATE = 30;
/** A load client ends by itself after so many seconds, whatever happens to who has started it. */
const MAX_DURATION_SECONDS = 3600;
/** A request that takes longer counts as failed, in seconds; the route's timeout is 10 s. */
const MAX_SECONDS = 15;

/** What a client inside the mesh runs, with the arguments of curl. */
const LOGGED_CURL = readFileSync(join(import.meta.dirname, "logged-curl.sh"), "utf8");

/** A client that calls the service at a steady, bounded rate until it is stopped. */
export interface LoadClient {
  /** Where it stands, for people: "in cluster-a" or "outside, through cluster-a". */
  readonly name: string;
  /** The cluster it lives in, or whose ingress gateway it calls. */
  readonly cluster: string;
  /** Every answer so far, oldest first. */
  readonly answers: readonly Answer[];
  stop(): Promise<void>;
}

function curlArgs(url: string, rate: number, extra: readonly string[] = []): string[] {
  return [
    ...["--silent", "--no-buffer", "--max-time", String(MAX_SECONDS)],
    ...["--rate", `${rate}/s`, "--write-out", CURL_WRITE_OUT],
    ...extra,
    `${url}?request=[1-${rate * MAX_DURATION_SECONDS}]`,
  ];
}

/**
 * Gathers the answers in a stream of curl's output.
 *
 * @param read the lines of curl in a line, each with its time
 */
function collect(
  output: Readable,
  read: (line: string) => Iterable<{ time: number; text: string }>,
): { answers: Answer[]; ended: Promise<void> } {
  const answers: Answer[] = [];
  const parser = new AnswerParser();
  const lines = createInterface({ input: output });
  lines.on("line", (line) => {
    for (const { time, text } of read(line)) {
      const answer = parser.line(text, time);
      if (answer) answers.push(answer);
    }
  });
  return { answers, ended: new Promise((resolve) => lines.once("close", resolve)) };
}

/** The lines of curl in a line of logged-curl.sh. */
function* unlogged(line: string): Generator<{ time: number; text: string }> {
  let time = NaN;
  for (const text of line.split("\t")) {
    if (/^\d+$/.test(text)) time = Number(text) / 1000;
    else yield { time, text };
  }
}

/**
 * A client with a sidecar, in a cluster of the mesh. Its pod is named after the host and port that it calls, so there is
 * one for each of them and each cluster.
 *
 * @param rate requests a second
 */
export async function loadInMesh(
  cluster: ClusterClient,
  url: string,
  rate = RATE,
): Promise<LoadClient> {
  const podName = `load-${new URL(url).host.replaceAll(/[.:]/g, "-")}`;
  await deleteClientPod(cluster, podName);
  const command = ["bash", "-c", LOGGED_CURL, "bash", ...curlArgs(url, rate)];
  const pod = await ensureClientPod(cluster, podName, command);
  const { namespace, name } = podKey(pod);
  const output = new PassThrough();
  // The client pipes the log and leaves an error of it, such as the abort below, to nobody.
  output.once("pipe", (log: Readable) => log.once("error", () => output.end()));
  const following = await new Log(cluster.kubeConfig).log(namespace, name, name, output, {
    follow: true,
  });
  const { answers } = collect(output, unlogged);
  return {
    name: `in ${cluster.name}`,
    cluster: cluster.name,
    answers,
    async stop() {
      following.abort();
      await deleteClientPod(cluster, podName);
    },
  };
}

/**
 * A client outside the mesh, which comes in through a cluster's ingress gateway.
 *
 * @param rate requests a second
 */
export function loadFromOutside(
  cluster: string,
  host: string,
  address: string,
  rate = RATE,
  headers: Readonly<Record<string, string>> = {},
  path = "/",
): LoadClient {
  const url = `http://${host}${path}`;
  const more = Object.entries(headers).flatMap(([name, value]) => [
    "--header",
    `${name}: ${value}`,
  ]);
  const curl = execa("curl", curlArgs(url, rate, ["--resolve", `${host}:80:${address}`, ...more]), {
    stdin: "ignore",
    buffer: false,
    reject: false,
  });
  const { answers, ended } = collect(curl.stdout, (text) => [{ time: Date.now(), text }]);
  return {
    name: `outside, through ${cluster}${path === "/" ? "" : ` to ${path}`}`,
    cluster,
    answers,
    async stop() {
      curl.kill();
      await Promise.all([curl, ended]);
    },
  };
}
