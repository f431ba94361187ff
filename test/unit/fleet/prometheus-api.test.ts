import "reflect-metadata";
import http, { type IncomingMessage, type Server, type ServerResponse } from "node:http";
import https from "node:https";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import type { CredentialsArgs } from "../../../fleet/credentials.ts";
import { servicePrometheus, urlPrometheus } from "../../../fleet/prometheus-api.ts";
import { Prometheus } from "../../../fleet/prometheus.ts";
import { kubeconfigText } from "../../helpers/fake-api-server.ts";
import { selfSigned } from "../../helpers/self-signed.ts";

const TOKEN = "s3cr3t-token";
const ANSWER = JSON.stringify({ status: "success", data: { resultType: "vector", result: [] } });
const cluster = { name: "cluster-a" } as ClusterClient;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let servers: Server[];
let folder: string;

beforeEach(() => {
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "prometheus-api-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A server of its own, and the requests that it has got. */
async function serve(handle: Handler, tls?: https.ServerOptions) {
  const seen: IncomingMessage[] = [];
  const answer: Handler = (request, response) => {
    seen.push(request);
    handle(request, response);
  };
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { seen, url: `${tls ? "https" : "http"}://127.0.0.1:${port}` };
}

/** What becomes of a query. */
async function query(url: string, credentials?: CredentialsArgs): Promise<string> {
  const prometheus = new Prometheus(cluster, urlPrometheus("cluster-a", url, credentials));
  return prometheus.query("up").then(
    () => "answered",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** Answers those who have the header, and tells the others what they have sent. */
const guarded =
  (name: string, value: string): Handler =>
  (request, response) => {
    const sent = request.headers[name];
    response.statusCode = sent === value ? 200 : 401;
    response.end(sent === value ? ANSWER : `not with ${String(sent)}`);
  };

describe("a Prometheus at a URL", () => {
  it("needs the URL alone, whose path comes before that of the API", async () => {
    const { seen, url } = await serve((_, response) => response.end(ANSWER));
    expect(await query(url)).toBe("answered");
    expect(await query(`${url}/`)).toBe("answered");
    expect(await query(`${url}/prometheus/`)).toBe("answered");
    expect(seen.map((request) => request.url)).toEqual([
      "/api/v1/query?query=up",
      "/api/v1/query?query=up",
      "/prometheus/api/v1/query?query=up",
    ]);
    expect(seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it.each<[string, CredentialsArgs, string, string]>([
    ["a bearer token", { bearerToken: TOKEN }, "authorization", `Bearer ${TOKEN}`],
    [
      "a user and a password",
      { basicAuth: { username: "me", password: TOKEN } },
      "authorization",
      `Basic ${Buffer.from(`me:${TOKEN}`).toString("base64")}`,
    ],
    ["a header", { headers: { "X-Scope-OrgID": "shop" } }, "x-scope-orgid", "shop"],
  ])("gets %s", async (_, credentials, name, value) => {
    const { url } = await serve(guarded(name, value));
    expect(await query(url, credentials)).toBe("answered");
    expect(await query(url)).toBe(
      "Prometheus of cluster-a refuses the request (HTTP 401): set the credentials that it requires: " +
        ["bearerToken", "basicAuth", "tokenCommand", "headers", "tls"]
          .map((key) => `prometheus.cluster-a.${key}`)
          .join(", "),
    );
  });

  it("names the cluster and the keys, and no secret, where it refuses the request", async () => {
    const { url } = await serve(guarded("authorization", "Bearer another"));
    const headers = { "X-Scope-OrgID": "shop" };
    expect(await query(url, { bearerToken: TOKEN, headers })).toBe(
      "Prometheus of cluster-a refuses the request (HTTP 401): check prometheus.cluster-a.bearerToken, prometheus.cluster-a.headers",
    );
  });

  it("tells what else it answers, without what it repeats of secrets", async () => {
    const { url } = await serve(({ headers }, response) => {
      response.statusCode = 500;
      response.end(`no tenant for ${headers.authorization ?? ""}: ${TOKEN}\nmore`);
    });
    expect(await query(url, { bearerToken: TOKEN })).toBe(
      "Prometheus of cluster-a answered 500: no tenant for [secret]: [secret]",
    );
  });

  it("says that a page is no answer", async () => {
    const { url } = await serve((_, response) => response.end("<html>Log in</html>"));
    expect(await query(url)).toBe(
      "Prometheus of cluster-a answers with something other than JSON: check the path of its URL, and whether it requires a login",
    );
  });

  it("shows of its URL the host alone where nobody answers", async () => {
    expect(await query("http://me:hush@127.0.0.1:1/hush")).toBe(
      "Prometheus of cluster-a (http://127.0.0.1:1) did not answer: connect ECONNREFUSED 127.0.0.1:1",
    );
  });
});

describe("a redirect", () => {
  it("is followed within the host, with what logs in", async () => {
    const { url } = await serve((request, response) => {
      if (request.url?.startsWith("/new"))
        guarded("authorization", `Bearer ${TOKEN}`)(request, response);
      else response.writeHead(308, { location: `/new${request.url ?? ""}` }).end();
    });
    expect(await query(url, { bearerToken: TOKEN })).toBe("answered");
  });

  it.each<[string, CredentialsArgs]>([
    ["a token", { bearerToken: TOKEN }],
    ["a password", { basicAuth: { username: "me", password: TOKEN } }],
    ["a header", { headers: { "X-Api-Key": TOKEN } }],
    ["a program's token", { tokenCommand: ["echo", TOKEN] }],
  ])("does not give %s to another host", async (_, credentials) => {
    const other = await serve((_, response) => response.end(ANSWER));
    const { url } = await serve(({ url: path = "" }, response) => {
      response.writeHead(302, { location: `${other.url}${path}` }).end();
    });
    expect(await query(url, credentials)).toBe(
      `Prometheus of cluster-a (${url}) did not answer: it redirects to ${other.url}, to which its credentials are not sent`,
    );
    expect(other.seen).toEqual([]);
    // With nothing to give away, it is followed.
    expect(await query(url)).toBe("answered");
  });

  it("is not followed without end", async () => {
    const { seen, url } = await serve((request, response) => {
      response.writeHead(302, { location: request.url }).end();
    });
    expect(await query(url)).toContain("it redirects more than 5 times");
    expect(seen).toHaveLength(6);
  });
});

describe("TLS", () => {
  it("checks the server by the authority that is given", async () => {
    const own = await selfSigned();
    const tls = { cert: own.certificate, key: own.key };
    const { url } = await serve((_, response) => response.end(ANSWER), tls);
    expect(await query(url)).toMatch(
      /^Prometheus of cluster-a \(https:.+\) did not answer: self-signed certificate.*\. Set prometheus\.cluster-a\.tls\.ca to the authority of its certificate$/,
    );
    expect(await query(url, { tls: { ca: own.certificate } })).toBe("answered");
  });

  it("shows the client's certificate", async () => {
    const [own, client] = [await selfSigned(), await selfSigned()];
    const { seen, url } = await serve((_, response) => response.end(ANSWER), {
      cert: own.certificate,
      key: own.key,
      ca: client.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const ca = own.certificate;
    expect(await query(url, { tls: { ca } })).toMatch(
      /did not answer: .*Check prometheus\.cluster-a\.tls$/s,
    );
    const tls = { ca, certificate: client.certificate, key: client.key };
    expect(await query(url, { tls })).toBe("answered");
    const socket = seen[0]?.socket as TLSSocket;
    expect(socket.authorized).toBe(true);
  });
});

describe("a program's token", () => {
  /** A program that counts how often it runs, and prints what the file says. */
  function program(script: string): { argv: string[]; runs: () => number; token: string } {
    const [file, count] = [join(folder, "token"), join(folder, "count")];
    writeFileSync(count, "");
    return {
      token: file,
      runs: () => readFileSync(count, "utf8").length,
      argv: ["sh", "-c", `printf x >> "$2"; ${script}`, "sh", file, count],
    };
  }

  it("is got once for many requests, and again once it is refused", async () => {
    const { argv, token, runs } = program('cat "$1"');
    let valid = "first";
    const { url } = await serve((request, response) => {
      guarded("authorization", `Bearer ${valid}`)(request, response);
    });
    const prometheus = new Prometheus(
      cluster,
      urlPrometheus("cluster-a", url, { tokenCommand: argv }),
    );
    writeFileSync(token, "first\n");
    await Promise.all([prometheus.query("up"), prometheus.query("up")]);
    expect(runs()).toBe(1);
    valid = "second";
    writeFileSync(token, "second\n");
    await Promise.all([prometheus.query("up"), prometheus.query("up")]);
    expect(runs()).toBe(2);
    valid = "third";
    await expect(prometheus.query("up")).rejects.toThrow(
      "Prometheus of cluster-a refuses the request (HTTP 401): check prometheus.cluster-a.tokenCommand",
    );
  });

  it.each([
    [
      "fails",
      `echo ${TOKEN}; echo "expired: ${TOKEN}, log in" >&2; exit 3`,
      "exit code 3: expired: [secret], log in",
    ],
    ["prints nothing", "true", "it printed nothing"],
    ["prints more", `echo ${TOKEN}; echo more`, "it printed something other than one token"],
  ])("is in no message where it %s", async (_, script, why) => {
    const { argv } = program(script);
    expect(await query("http://127.0.0.1:1", { tokenCommand: argv })).toBe(
      `prometheus.cluster-a.tokenCommand: the program sh gave no token: ${why}`,
    );
  });

  it("says that there is no such program", async () => {
    expect(await query("http://127.0.0.1:1", { tokenCommand: ["no-such-program"] })).toBe(
      "prometheus.cluster-a.tokenCommand: the program no-such-program gave no token: ENOENT",
    );
  });
});

describe("a Service in the cluster", () => {
  const service = { namespace: "monitoring", name: "prometheus", port: 9090, path: "" };
  const pod = (name: string, ready: string) => ({
    metadata: { name, namespace: "monitoring" },
    spec: { containers: [{ name: "a", ports: [{ name: "web", containerPort: 9095 }] }] },
    status: { conditions: [{ type: "Ready", status: ready }] },
  });
  let spec: object | undefined;
  let pods: object[];
  let forwarded: string[];
  let requests: string[];
  let listed: string;

  beforeEach(() => {
    spec = { selector: { app: "prom" }, ports: [{ port: 9090, targetPort: "web" }] };
    pods = [pod("prom-2", "True"), pod("prom-0", "False"), pod("prom-1", "True")];
    [forwarded, requests, listed] = [[], [], ""];
  });

  /** An API server with the Service, its pods, and a Prometheus that asks for the token in them. */
  async function client(): Promise<ClusterClient> {
    const { url } = await serve((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
      response.setHeader("content-type", "application/json");
      if (pathname === "/api/v1/namespaces/monitoring/services/prometheus" && spec) {
        response.end(JSON.stringify({ spec }));
      } else if (pathname === "/api/v1/namespaces/monitoring/pods") {
        listed = searchParams.get("labelSelector") ?? "";
        response.end(JSON.stringify({ items: pods }));
      } else {
        response.statusCode = 404;
        response.end(JSON.stringify({ message: `services "prometheus" not found` }));
      }
    });
    const [server] = servers;
    const sockets = new WebSocketServer({
      ...(server && { server }),
      handleProtocols: ([first]) => first ?? "",
    });
    sockets.on("connection", (socket, request) => {
      forwarded.push(request.url ?? "");
      socket.send(Buffer.from("\0\0\0"));
      socket.on("message", (data: Buffer) => {
        const asked = data.subarray(1).toString();
        requests.push(asked.split("\r\n", 1).join(""));
        const [status, body] = asked.includes(`Bearer ${TOKEN}`)
          ? ["200 OK", ANSWER]
          : ["401 No", "no"];
        const text = `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
        socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(text)]));
      });
    });
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigText({ a: url }));
    return new ClusterClient({ name: "cluster-a", context: "a", kubeconfig });
  }

  const asked = async (more: Partial<typeof service> = {}, bearerToken = TOKEN) => {
    const to = await client();
    const api = servicePrometheus(to, { ...service, ...more }, { bearerToken });
    return new Prometheus(to, api).query("up");
  };

  it("leads to the same ready pod of it each time, and to the port that the pod names", async () => {
    expect(await asked({ path: "/prometheus/" })).toEqual([]);
    expect(listed).toBe("app=prom");
    expect(forwarded).toEqual(["/api/v1/namespaces/monitoring/pods/prom-1/portforward?ports=9095"]);
    expect(requests).toEqual(["GET /prometheus/api/v1/query?query=up HTTP/1.1"]);
  });

  it.each([
    [{ port: 9090, targetPort: 9191 }, 9191],
    [{ port: 9090 }, 9090],
  ])("takes the port %j", async (port, number) => {
    spec = { selector: { app: "prom" }, ports: [{ port: 80 }, port] };
    await asked();
    expect(forwarded).toEqual([
      `/api/v1/namespaces/monitoring/pods/prom-1/portforward?ports=${number}`,
    ]);
  });

  it("names the cluster and the key where it refuses the token", async () => {
    await expect(asked({}, "wrong")).rejects.toThrow(
      "Prometheus of cluster-a refuses the request (HTTP 401): check prometheus.cluster-a.bearerToken",
    );
  });

  const where = "the Service monitoring/prometheus of cluster-a";
  it.each<[string, () => void, string]>([
    [
      "there is none",
      () => {
        spec = undefined;
      },
      `cannot read ${where}: services "prometheus" not found`,
    ],
    [
      "it has no such port",
      () => {
        spec = { selector: { app: "prom" }, ports: [{ port: 80 }, { port: 81 }] };
      },
      `${where} has no port 9090, only 80, 81`,
    ],
    [
      "it has no pods of its own",
      () => {
        spec = { ports: [{ port: 9090 }] };
      },
      `${where} selects no pods`,
    ],
    [
      "none of its pods is ready",
      () => {
        pods = [pod("prom-0", "False")];
      },
      `${where} has no ready pod`,
    ],
    [
      "its pods do not name the port",
      () => {
        spec = { selector: { app: "prom" }, ports: [{ port: 9090, targetPort: "http" }] };
      },
      `${where} leads to the port http, which its pod prom-1 does not have`,
    ],
  ])("says that %s", async (_, change, message) => {
    change();
    await expect(asked()).rejects.toThrow(message);
  });
});
