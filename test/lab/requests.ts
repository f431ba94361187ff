import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";

/** A request and what has come of it. */
export interface Sent {
  readonly method: "GET" | "POST";
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** How long it took, in milliseconds. */
  readonly took: number;
  /** The answer's status, or why there was none. */
  readonly result: number | string;
  /** The cluster and version that answered. @default none did */
  readonly cluster: string | undefined;
  readonly version: string | undefined;
}

/** A client outside of the mesh that waits for no answer before it sends the next request. */
export interface Requests {
  /** Those that are over. */
  readonly sent: readonly Sent[];
  /** Ends when all requests are over. */
  stop(): Promise<void>;
}

function send(
  method: Sent["method"],
  to: {
    readonly host: string;
    readonly address: string;
    readonly agent: Agent;
    readonly path: string;
  },
): Promise<Sent> {
  const at = Date.now();
  return new Promise((resolve) => {
    const done = (result: Sent["result"], body = "") => {
      const field = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(body)?.[1];
      resolve({
        method,
        at,
        took: Date.now() - at,
        result,
        cluster: field("Cluster"),
        version: field("ServiceVersion"),
      });
    };
    const { agent, address, host, path } = to;
    const headers = { host };
    const call = request({ agent, method, host: address, path, headers, timeout: 20_000 });
    call.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () => {
        done(response.statusCode ?? 0, body);
      });
      response.on("error", (error) => {
        done(error.message);
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer within 20 s")));
    call.on("error", (error) => {
      done(error.message);
    });
    call.end(method === "POST" ? "order" : undefined);
  });
}

/**
 * Calls a host at an ingress gateway at a steady rate, GET and POST in turn. It is an open loop: requests that hang
 * keep no other from being sent, as those of many users do not.
 *
 * @param rate requests a second
 * @param path of the requests. @default `/`
 */
export function sendRequests(host: string, address: string, rate: number, path = "/"): Requests {
  const agent = new Agent({ keepAlive: true });
  const sent: Sent[] = [];
  const open = new Set<Promise<void>>();
  const stopped = new AbortController();
  const began = Date.now();
  const loop = (async () => {
    for (let i = 0; !stopped.signal.aborted; i += 1) {
      await setTimeout(Math.max(0, began + (i * 1000) / rate - Date.now()));
      const one = send(i % 2 === 0 ? "GET" : "POST", { host, address, agent, path }).then(
        (result) => {
          sent.push(result);
          open.delete(one);
        },
      );
      open.add(one);
    }
  })();
  return {
    sent,
    async stop() {
      stopped.abort();
      await loop;
      await Promise.all(open);
      agent.destroy();
    },
  };
}

/** Whether a request has failed: without an answer, or with one that tells of a failure. */
export function hasFailed({ result }: Sent): boolean {
  return typeof result === "string" || result >= 500;
}

/** The share of failed requests among those of a method, in percent, and what each has failed of. */
export function failures(sent: readonly Sent[], method: Sent["method"]) {
  const all = sent.filter((each) => each.method === method);
  const failed = all.filter(hasFailed);
  return { all: all.length, failed, percent: (failed.length / Math.max(1, all.length)) * 100 };
}

/** What has happened, second by second since `since`, for the log of a test. */
export function timeline(sent: readonly Sent[], since: number): string {
  const seconds = Map.groupBy(sent, ({ at }) => Math.floor((at - since) / 1000));
  return [...seconds]
    .sort(([a], [b]) => a - b)
    .map(([second, all]) => {
      const failed = all.filter(hasFailed);
      const slowest = Math.max(...all.map(({ took }) => took));
      const clusters = [...Map.groupBy(all, ({ cluster }) => cluster ?? "nobody")]
        .map(([cluster, of]) => `${cluster} ${of.length}`)
        .sort()
        .join(", ");
      const why = [...new Set(failed.map(({ method, result }) => `${method} ${result}`))].join(
        ", ",
      );
      return `${second} s: ${clusters}; slowest ${slowest} ms${failed.length > 0 ? `; ${failed.length} failed: ${why}` : ""}`;
    })
    .join("\n");
}
