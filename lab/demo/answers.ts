/** What one service of a chain did for a request. */
export interface Hop {
  readonly service: string;
  readonly version: string;
  readonly cluster: string;
  /** The mark that came with the request; undefined if it had none. */
  readonly mark: string | undefined;
}

/** What a load client saw of one request. */
export interface Answer {
  /** When the answer came, in milliseconds since the epoch. */
  readonly at: number;
  /** Version and cluster of the pod that answered; undefined if the request failed. */
  readonly version: string | undefined;
  readonly cluster: string | undefined;
  /** The services that the request went through, in their order; none if the service is in no chain. */
  readonly hops: readonly Hop[];
  /** Why the request failed; undefined if it did not. */
  readonly failure: string | undefined;
}

/** The last line that curl writes for each request: HTTP status, exit code and error text. */
export const CURL_WRITE_OUT = "\\n#%{http_code} %{exitcode} %{errormsg}\\n";

/** The hop that a line of the echo server tells of: `Hop=front v2 cluster-a canary`. */
export function parseHop(line: string): Hop | undefined {
  const [, service, version, cluster, mark] = /^Hop=(\S+) (\S+) (\S+) (.+)$/.exec(line) ?? [];
  if (service === undefined || version === undefined || cluster === undefined) return undefined;
  return { service, version, cluster, mark: mark === "-" ? undefined : mark };
}

/**
 * Puts the lines of the service, and of {@link CURL_WRITE_OUT}, together to answers. Of a client inside the mesh,
 * logged-curl.sh passes on only those that are read here.
 */
export class AnswerParser {
  #version: string | undefined;
  #cluster: string | undefined;
  #hops: Hop[] = [];
  /** Why the chain has failed, as the service before the one that failed tells it. */
  #reason: string | undefined;

  /** Takes one line; gives an answer when the line ends one. */
  line(text: string, at: number): Answer | undefined {
    const [, name, value] = /^(ServiceVersion|Cluster|Failure)=(.*)$/.exec(text) ?? [];
    if (name === "ServiceVersion") this.#version = value;
    if (name === "Cluster") this.#cluster = value;
    // Each service puts its own line before those of the services after it.
    if (name === "Failure") this.#reason = value;
    const hop = parseHop(text);
    if (hop) this.#hops.push(hop);
    const end = /^#(\d{3}) (\d+) ?(.*)$/.exec(text);
    if (!end) return undefined;
    const [, status = "", exit = "", message = ""] = end;
    const failure =
      exit !== "0"
        ? `curl ${exit}: ${message}`
        : status !== "200"
          ? [`HTTP ${status}`, ...(this.#reason === undefined ? [] : [this.#reason])].join(": ")
          : this.#version === undefined || this.#cluster === undefined
            ? "an answer that names no version or cluster"
            : undefined;
    const [version, cluster, hops] = [this.#version, this.#cluster, this.#hops];
    this.#version = this.#cluster = this.#reason = undefined;
    this.#hops = [];
    return { at, version, cluster, hops, failure };
  }
}
