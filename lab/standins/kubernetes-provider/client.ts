import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import type { Connection } from "./kubeconfig.ts";
import type { Kind, ObjectReference } from "./objects.ts";
import { listAt, textAt, type Fields } from "./values.ts";

/** Longest wait for one answer, in milliseconds; an apply may have to wait for webhooks (up to 30 s each). */
const ANSWER_WITHIN = 60_000;

/** An answer of the API server other than success; `status` 0 stands for "no answer". */
export class ApiError extends Error {
  readonly status: number;
  /** The API's reason, such as `Conflict` or `AlreadyExists`. */
  readonly reason: string;
  /** The server's answer, a `Status` object. */
  readonly body: Fields;

  constructor(status: number, body: Fields, options?: ErrorOptions) {
    super(textAt(body, "message") ?? `the API server answered with HTTP ${status}`, options);
    this.status = status;
    this.reason = textAt(body, "reason") ?? "";
    this.body = body;
  }
}

export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 404;
}

/** A kind as the server knows it. */
export interface ApiResource {
  /** Its plural name, as used in paths. */
  readonly name: string;
  readonly namespaced: boolean;
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Fields;
  readonly contentType?: string;
}

/** Reads and writes any kind of object by what the server's discovery says about it. */
export class KubernetesClient {
  readonly connection: Connection;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #discovered = new Map<string, Promise<Fields>>();

  constructor(connection: Connection) {
    this.connection = connection;
    const pool = { keepAlive: true, maxSockets: 16 };
    this.#agent =
      connection.server.protocol === "https:"
        ? new HttpsAgent({ ...pool, ...connection.tls })
        : new HttpAgent(pool);
  }

  /** Sends a request and gives the JSON of the answer; an answer that is no success is an ApiError. */
  async json(method: string, path: string, options: RequestOptions = {}): Promise<Fields> {
    const { status, text } = await this.#send(method, path, options);
    let body: Fields;
    try {
      body = JSON.parse(text) as Fields;
    } catch {
      body = { message: text.trim() };
    }
    if (status >= 300) throw new ApiError(status, body);
    return body;
  }

  /** The text of an answer that is no JSON, such as a log. */
  async text(path: string, query: RequestOptions["query"] = {}): Promise<string> {
    const { status, text } = await this.#send("GET", path, { query });
    if (status >= 300) throw new ApiError(status, { message: text.trim() });
    return text;
  }

  /** The server's resource for a kind, or undefined while it has none (a CRD that is still to come). */
  async resource({ apiVersion, kind }: Kind): Promise<ApiResource | undefined> {
    for (const fresh of [false, true]) {
      if (fresh || !this.#discovered.has(apiVersion)) {
        const answer = this.json("GET", groupPath(apiVersion));
        this.#discovered.set(apiVersion, answer);
        // A failure must not be remembered; who asked is told below.
        answer.catch(() => this.#discovered.delete(apiVersion));
      }
      try {
        const list = await this.#discovered.get(apiVersion);
        for (const item of listAt(list, "resources")) {
          const name = textAt(item, "name") ?? "";
          if (textAt(item, "kind") !== kind || name.includes("/")) continue;
          return { name, namespaced: (item as Fields)["namespaced"] === true };
        }
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return undefined;
  }

  /**
   * The path of an object, or of a kind's collection where the name is empty.
   *
   * @param waitMs how long to wait for the kind to appear
   */
  async pathOf(object: ObjectReference, waitMs = 0, signal?: AbortSignal): Promise<string> {
    const end = Date.now() + waitMs;
    for (;;) {
      const resource = await this.resource(object);
      if (resource) {
        const namespace = object.namespace || "default";
        const scope = resource.namespaced ? `/namespaces/${namespace}` : "";
        const name = object.name ? `/${object.name}` : "";
        return `${groupPath(object.apiVersion)}${scope}/${resource.name}${name}`;
      }
      if (Date.now() >= end) throw noSuchKind(object);
      await delay(500, undefined, signal && { signal });
    }
  }

  async get(object: ObjectReference): Promise<Fields> {
    return this.json("GET", await this.pathOf(object));
  }

  /** The object, or undefined if there is none, or no such kind. */
  async find(object: ObjectReference): Promise<Fields | undefined> {
    try {
      return await this.get(object);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** The objects of a kind in a namespace. */
  async list(
    of: Kind & { readonly namespace: string },
    query: { readonly labelSelector?: string; readonly fieldSelector?: string } = {},
  ): Promise<Fields[]> {
    const path = await this.pathOf({ ...of, name: "" });
    return listAt(await this.json("GET", path, { query }), "items") as Fields[];
  }

  async #send(
    method: string,
    path: string,
    options: RequestOptions,
  ): Promise<{ status: number; text: string }> {
    const { query = {}, body, contentType = "application/json" } = options;
    const { server, headers } = this.connection;
    const url = new URL(server.pathname.replace(/\/$/, "") + path, server);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const payload = body && JSON.stringify(body);
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        reject(new ApiError(0, { message: `${server.host}: ${error.message}` }, { cause: error }));
      };
      const request = send(
        url,
        {
          method,
          agent: this.#agent,
          timeout: ANSWER_WITHIN,
          headers: {
            accept: "application/json",
            "user-agent": "pulumi-kubernetes-stand-in",
            ...headers,
            ...(payload && {
              "content-type": contentType,
              "content-length": Buffer.byteLength(payload),
            }),
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("error", fail);
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, text });
          });
        },
      );
      request.on("timeout", () => {
        request.destroy(new Error(`no answer within ${ANSWER_WITHIN / 1000} s`));
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        // The server has closed a connection that was idle for long. What creates is not sent twice: it may have been seen.
        if (request.reusedSocket && error.code === "ECONNRESET" && method !== "POST") {
          this.#send(method, path, options).then(resolve, reject);
        } else fail(error);
      });
      request.end(payload);
    });
  }
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function noSuchKind({ apiVersion, kind }: Kind): ApiError {
  return new ApiError(404, {
    message:
      `no matches for kind "${kind}" in version "${apiVersion}": ` +
      "its CustomResourceDefinition is not installed in this cluster",
  });
}
