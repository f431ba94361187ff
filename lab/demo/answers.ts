/** What a load client saw of one request. */
export interface Answer {
  /** When the answer came, in milliseconds since the epoch. */
  readonly at: number;
  /** Version and cluster of the pod that answered; undefined if the request failed. */
  readonly version: string | undefined;
  readonly cluster: string | undefined;
  /** Why the request failed; undefined if it did not. */
  readonly failure: string | undefined;
}

/** The last line that curl writes for each request: HTTP status, exit code and error text. */
export const CURL_WRITE_OUT = "\\n#%{http_code} %{exitcode} %{errormsg}\\n";

/** Puts the lines of the service, and of {@link CURL_WRITE_OUT}, together to answers. */
export class AnswerParser {
  #version: string | undefined;
  #cluster: string | undefined;

  /** Takes one line; gives an answer when the line ends one. */
  line(text: string, at: number): Answer | undefined {
    const field = /^(ServiceVersion|Cluster)=(.*)$/.exec(text);
    if (field) {
      if (field[1] === "Cluster") this.#cluster = field[2];
      else this.#version = field[2];
      return undefined;
    }
    const end = /^#(\d{3}) (\d+) ?(.*)$/.exec(text);
    if (!end) return undefined;
    const [, status = "", exit = "", message = ""] = end;
    const failure =
      exit !== "0"
        ? `curl ${exit}: ${message}`
        : status !== "200"
          ? `HTTP ${status}`
          : this.#version === undefined || this.#cluster === undefined
            ? "an answer that names no version or cluster"
            : undefined;
    const answer = { at, version: this.#version, cluster: this.#cluster, failure };
    this.#version = this.#cluster = undefined;
    return answer;
  }
}
