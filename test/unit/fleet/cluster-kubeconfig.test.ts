import { createServer as createProxy, type IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TLSSocket } from "node:tls";
import { dump } from "js-yaml";
import { WebSocketServer } from "ws";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { ExecCredentials } from "../../../fleet/exec-credentials.ts";
import { webSockets } from "../../../fleet/web-sockets.ts";
import { selfSigned } from "../../helpers/self-signed.ts";

/** What an API server has seen of a request. */
interface Seen {
  readonly headers: readonly string[];
  readonly serverName: string | false | null;
}

const NAME = "api.example.com";
const folder = mkdtempSync(path.join(tmpdir(), "cluster-kubeconfig-"));
let pair: Awaited<ReturnType<typeof selfSigned>>;
let server: ReturnType<typeof createServer>;
let proxy: ReturnType<typeof createProxy>;
/** Which requests the API server takes for logged in. */
let takes: (request: IncomingMessage) => boolean;
let seen: Seen[];
let tunnels: string[];
const open = new Set<Socket>();

const portOf = (of: { address(): unknown }) => (of.address() as AddressInfo).port;
const listening = async (of: typeof proxy | typeof server) => {
  of.on("connection", (socket: Socket) => open.add(socket));
  await new Promise<void>((resolve) => of.listen(0, "127.0.0.1", resolve));
};
const note = (request: IncomingMessage) => {
  const { servername } = request.socket as TLSSocket;
  seen.push({ headers: request.rawHeaders, serverName: servername });
};

beforeAll(async () => {
  pair = await selfSigned(NAME);
  server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    note(request);
    const isTaken = takes(request);
    response.writeHead(isTaken ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(isTaken ? { metadata: {}, items: [] } : {}));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    note(request);
    sockets.handleUpgrade(request, socket, head, () => undefined);
  });
  // It leads to the one API server, whatever the name.
  proxy = createProxy().on("connect", (request, socket) => {
    tunnels.push(request.url ?? "");
    const to = connect(portOf(server), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      to.pipe(socket).pipe(to);
    });
    open.add(to);
    to.on("error", () => socket.destroy());
    socket.on("error", () => to.destroy());
  });
  await listening(server);
  await listening(proxy);
});
afterAll(() => {
  for (const socket of open) socket.destroy();
  server.close();
  proxy.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  seen = [];
  tunnels = [];
  takes = () => true;
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** The text of a kubeconfig with this user, for the API server at 127.0.0.1 unless `cluster` says otherwise. */
function textOf(user: object, cluster: object = {}): string {
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "a",
        cluster: {
          server: `https://127.0.0.1:${portOf(server)}`,
          "certificate-authority-data": Buffer.from(pair.certificate).toString("base64"),
          ...cluster,
        },
      },
    ],
    users: [{ name: "me", user }],
    contexts: [{ name: "prod-a", context: { cluster: "a", user: "me" } }],
  });
}

function clientOf(kubeconfig: string): ClusterClient {
  return new ClusterClient({ name: "cluster-a", context: "prod-a", kubeconfig });
}

async function ask(client: ClusterClient): Promise<void> {
  await client.core.listNamespacedPod({ namespace: "user" });
}

/** The values of a header in the last request, in lower case, as often as it was sent. */
function sent(name: string): readonly string[] {
  const { headers = [] } = seen.at(-1) ?? {};
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name);
}

/** A program that prints an ExecCredential, and a line into a file each time it runs. */
function program(name: string, script: string): { exec: object; runs: () => number } {
  const file = path.join(folder, name);
  writeFileSync(file, "");
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "sh",
    args: ["-c", `echo run >> "${file}"; ${script}`],
    interactiveMode: "Never",
  };
  return { exec, runs: () => readFileSync(file, "utf8").split("\n").length - 1 };
}
const printed = (status: string) =>
  `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":${status}}'`;

it("runs a program for credentials once for all clients and requests", async () => {
  const { exec, runs } = program("once", printed('{"token":"t-1"}'));
  const clients = [1, 2, 3].map(() => clientOf(textOf({ exec })));
  await Promise.all(clients.flatMap((client) => [ask(client), ask(client), ask(client)]));
  expect(sent("authorization")).toEqual(["Bearer t-1"]);
  expect(runs()).toBe(1);
});

it("tells the program what kubectl tells it", async () => {
  const script = `echo "{\\"status\\":{\\"token\\":\\"$OF-$(echo "$KUBERNETES_EXEC_INFO" | grep -c '"interactive":false.*"server":"https://127.0.0.1')\\"}}"`;
  const { exec } = program("told", script);
  const told = { ...exec, provideClusterInfo: true, env: [{ name: "OF", value: "prod" }] };
  await ask(clientOf(textOf({ exec: told })));
  expect(sent("authorization")).toEqual(["Bearer prod-1"]);
});

it("runs the program again when its credentials end, or are not taken", async () => {
  const at = new Date(Date.now() + 60_000).toISOString();
  const { exec, runs } = program("again", printed(`{"token":"t","expirationTimestamp":"${at}"}`));
  const client = clientOf(textOf({ exec }));
  await ask(client);
  await ask(client);
  expect(runs()).toBe(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 55_000 });
  try {
    await ask(client);
  } finally {
    vi.useRealTimers();
  }
  expect(runs()).toBe(2);
  takes = () => false;
  await expect(ask(client)).rejects.toThrow("HTTP-Code: 401");
  takes = () => true;
  await ask(client);
  expect(runs()).toBe(3);
});

it.each([
  [
    "fails",
    "echo nobody is logged in >&2; exit 3",
    "the program sh gave no credentials: exit code 3: nobody is logged in",
  ],
  ["prints nothing", "true", "the program sh gave no credentials: it printed nothing"],
  [
    "prints something else",
    "echo t-secret",
    "the program sh gave no credentials: it printed no ExecCredential with a token, or a certificate and its key",
  ],
])("says what is wrong with a program that %s, and asks it again", async (name, script, error) => {
  const { exec, runs } = program(name, script);
  const client = clientOf(textOf({ exec }));
  await expect(ask(client)).rejects.toThrow(error);
  await expect(ask(client)).rejects.toThrow(error);
  expect(runs()).toBe(2);
  expect(seen).toEqual([]);
});

it("waits for a program that hangs once, and asks it again after a minute", async () => {
  const { exec, runs } = program("hangs", "exec sleep 60");
  const user = { name: "me", exec };
  const late = "the program sh gave no credentials: it did not end within 0.5 s";
  // Each client has credentials of its own, and all wait for one program.
  const ask = async () => new ExecCredentials(user, null, 500).get();
  await expect(ask()).rejects.toThrow(late);
  await expect(ask()).rejects.toThrow(late);
  expect(runs()).toBe(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  try {
    await expect(ask()).rejects.toThrow(late);
  } finally {
    vi.useRealTimers();
  }
  expect(runs()).toBe(2);
});

it("reads a token from the file that the kubeconfig names, as pods have one", async () => {
  const tokenFile = path.join(folder, "token");
  writeFileSync(tokenFile, "t-file");
  await ask(clientOf(textOf({ tokenFile })));
  expect(sent("authorization")).toEqual(["Bearer t-file"]);
});

const impersonating = {
  token: "t",
  as: "deployer",
  "as-uid": "7",
  "as-groups": ["ops", "mesh, and more"],
  "as-user-extra": { Reason: ["canary"] },
};
const expectImpersonated = () => {
  expect(sent("impersonate-user")).toEqual(["deployer"]);
  expect(sent("impersonate-uid")).toEqual(["7"]);
  expect(sent("impersonate-group")).toEqual(["ops", "mesh, and more"]);
  expect(sent("impersonate-extra-reason")).toEqual(["canary"]);
};

it("acts for the user and the groups that the kubeconfig names", async () => {
  await ask(clientOf(textOf(impersonating)));
  expectImpersonated();
});

it("takes keys without a value, and asks nothing of users that it does not use", async () => {
  const text = textOf({ token: "t", as: "deployer", "as-groups": null, "as-user-extra": null });
  await ask(clientOf(text.replace("users:", "users:\n  - {name: them, user: {as-groups: 7}}")));
  expect(sent("impersonate-user")).toEqual(["deployer"]);
  expect(sent("impersonate-group")).toEqual([]);
});

it.each([
  [
    { "as-groups": "hush" },
    'user me of the kubeconfig in the configuration cannot be used: ✖ Invalid input: expected array, received string → at ["as-groups"]',
  ],
  [
    { exec: { args: ["hush"] } },
    "exec of user me cannot be used: ✖ Invalid input: expected string, received undefined → at command",
  ],
])("says what of a user cannot be used, and no value: %j", (user, error) => {
  expect(() => clientOf(textOf(user))).toThrow(new Error(error));
});

it("takes no proxy of another kind, and shows no password", () => {
  const of = () => clientOf(textOf({}, { "proxy-url": "ftp://me:hush@proxy" }));
  const error = "must be a URL that begins with http://, https:// or socks5://";
  expect(of).toThrow(new Error(`proxy-url of cluster a ${error}`));
  vi.stubEnv("HTTPS_PROXY", "ftp://me:hush@proxy");
  const text = textOf({}, { server: `https://${NAME}:6443` });
  expect(() => clientOf(text)).toThrow(new Error(`HTTPS_PROXY ${error}`));
});

it("does so with the file of the environment, too", async () => {
  const file = path.join(folder, "environment");
  writeFileSync(file, textOf(impersonating));
  vi.stubEnv("KUBECONFIG", file);
  await ask(new ClusterClient({ name: "cluster-a", context: "prod-a" }));
  expectImpersonated();
});

it("does so in the same way where commands are run in pods", async () => {
  const socket = await webSockets(clientOf(textOf(impersonating)).kubeConfig, 5_000).connect(
    "/api/v1/namespaces/user/pods/client-1/exec",
    null,
    null,
  );
  socket.close();
  expectImpersonated();
});

it("reaches an API server through the proxy that the kubeconfig names, by the name in its certificate", async () => {
  const client = clientOf(
    textOf(
      { token: "t" },
      {
        server: "https://gateway.example.org:6443",
        "proxy-url": `http://127.0.0.1:${portOf(proxy)}`,
        "tls-server-name": NAME,
      },
    ),
  );
  await ask(client);
  const socket = await webSockets(client.kubeConfig, 5_000).connect("/exec", null, null);
  socket.close();
  expect(tunnels).toEqual(["gateway.example.org:6443", "gateway.example.org:6443"]);
  expect(seen.map(({ serverName }) => serverName)).toEqual([NAME, NAME]);
});

it("reaches it through the proxy of the environment, as kubectl does", async () => {
  vi.stubEnv("HTTPS_PROXY", `127.0.0.1:${portOf(proxy)}`);
  await ask(clientOf(textOf({ token: "t" }, { server: `https://${NAME}:6443` })));
  expect(tunnels).toEqual([`${NAME}:6443`]);
  await ask(clientOf(textOf({ token: "t" })));
  expect(tunnels).toHaveLength(1);
});

it("takes the content of a kubeconfig as well as a path", async () => {
  const file = path.join(folder, "config");
  writeFileSync(file, textOf({ token: "t-path" }));
  await ask(clientOf(file));
  expect(sent("authorization")).toEqual(["Bearer t-path"]);
});
