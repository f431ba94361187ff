import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { SecureVersion } from "node:tls";
import { load } from "js-yaml";
import { at, isFields, listAt, textAt, type Fields } from "./values.ts";

/** Which cluster a provider talks to: its `kubeconfig` (a path or the text), `context` and `cluster`. */
export interface KubeconfigChoice {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
}

/** How to reach an API server and as whom. */
export interface Connection {
  readonly server: URL;
  /** Namespace of the context. */
  readonly namespace: string | undefined;
  /** The kubeconfig's path, or its text where it was given as text. */
  readonly source: { readonly path: string } | { readonly text: string };
  readonly context: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: Buffer;
    readonly cert?: Buffer | string;
    readonly key?: Buffer | string;
    readonly rejectUnauthorized: boolean;
    readonly servername?: string;
    readonly minVersion: SecureVersion;
  };
}

/** What a kubeconfig says of a context. */
interface Chosen {
  readonly source: Connection["source"];
  readonly text: string;
  /** The file, for a person. */
  readonly where: string;
  readonly contextName: string | undefined;
  readonly context: Fields[string];
  readonly cluster: Fields[string];
  readonly user: () => Fields[string];
}

/** Reads a kubeconfig and picks the cluster and user of a context. */
async function choose(choice: KubeconfigChoice): Promise<Chosen> {
  const source = sourceOf(choice.kubeconfig);
  const text = "text" in source ? source.text : await readFile(source.path, "utf8");
  const where = "text" in source ? "the kubeconfig" : source.path;
  const config = load(text);
  if (!isFields(config as Fields)) {
    throw new Error(
      "failed to parse kubeconfig data in `kubernetes:config:kubeconfig`: " +
        ("path" in source
          ? `${where} is not a kubeconfig`
          : "neither the path of one file that is there, nor the content of one"),
    );
  }
  const named = (list: string, name: string | undefined): Fields => {
    const entry = listAt(config as Fields, list).find((item) => at(item, "name") === name);
    if (!isFields(entry)) {
      const names = listAt(config as Fields, list).map((item) => textAt(item, "name"));
      throw new Error(`${where} has no "${name ?? ""}" among its ${list}: ${names.join(", ")}`);
    }
    return entry;
  };
  const contextName = choice.context ?? textAt(config as Fields, "current-context");
  const context = named("contexts", contextName)["context"];
  const cluster = named("clusters", choice.cluster ?? textAt(context, "cluster"))["cluster"];
  const userName = textAt(context, "user");
  const user = () => (userName === undefined ? {} : named("users", userName)["user"]);
  return { source, text, where, contextName, context, cluster, user };
}

/** All that a kubeconfig says of the cluster of a context. */
export async function activeCluster(choice: KubeconfigChoice): Promise<Fields> {
  const { cluster } = await choose(choice);
  return isFields(cluster) ? cluster : {};
}

/** How to reach the API server of a context. */
export async function connect(choice: KubeconfigChoice): Promise<Connection> {
  const { source, text, where, contextName, context, cluster, ...chosen } = await choose(choice);
  const user = chosen.user();

  // Unlike kubectl, the official provider loads the content, which does not know where it came from.
  const folder = process.cwd();
  const server = textAt(cluster, "server");
  if (server === undefined) throw new Error(`${where}: the cluster has no server`);
  const ca = await material(cluster, "certificate-authority", folder);
  const identity =
    at(user, "exec") === undefined && at(user, "auth-provider") === undefined
      ? await credentials(user, folder)
      : await obtainedCredentials(text, contextName);
  const { token, cert, key } = identity;
  const servername = textAt(cluster, "tls-server-name");
  return {
    server: new URL(server),
    namespace: textAt(context, "namespace"),
    source,
    context: contextName ?? "",
    headers: token === undefined ? {} : { authorization: token },
    tls: {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(servername !== undefined && { servername }),
      rejectUnauthorized: at(cluster, "insecure-skip-tls-verify") !== true,
      minVersion: "TLSv1.2",
    },
  };
}

/** As parseKubeconfigString in the official provider's util.go: one path, or else it is the content. */
function sourceOf(kubeconfig: string | undefined): Connection["source"] {
  // The SDK hands $KUBECONFIG on as it is.
  const given =
    [kubeconfig, process.env["KUBECONFIG"]].find((each) => each !== undefined && each !== "") ??
    "~/.kube/config";
  const path = given.replace(/^~(?=\/|$)/, homedir());
  return existsSync(path) ? { path: resolve(path) } : { text: given };
}

/** Certificate or key: in the kubeconfig itself as base64, or in a file. */
async function material(
  holder: Fields[string],
  name: string,
  folder: string,
): Promise<Buffer | undefined> {
  const data = textAt(holder, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, "base64");
  const file = textAt(holder, name);
  return file === undefined ? undefined : readFile(resolve(folder, file));
}

interface Identity {
  /** Value of the Authorization header. */
  readonly token?: string | undefined;
  readonly cert?: Buffer | string | undefined;
  readonly key?: Buffer | string | undefined;
}

async function credentials(user: Fields[string], folder: string): Promise<Identity> {
  const tokenFile = textAt(user, "tokenFile");
  const token =
    textAt(user, "token") ??
    (tokenFile && (await readFile(resolve(folder, tokenFile), "utf8")).trim());
  const name = textAt(user, "username");
  const basic = name && Buffer.from(`${name}:${textAt(user, "password") ?? ""}`).toString("base64");
  return {
    token: token ? `Bearer ${token}` : basic && `Basic ${basic}`,
    cert: await material(user, "client-certificate", folder),
    key: await material(user, "client-key", folder),
  };
}

/**
 * Credentials that a program or an identity provider hands out. The Kubernetes client knows how; it
 * is loaded only here, because that takes as long as a whole preview of a small program.
 */
async function obtainedCredentials(
  kubeconfig: string,
  context: string | undefined,
): Promise<Identity> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  if (context !== undefined) config.setCurrentContext(context);
  const options: import("node:https").RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers = new Map(Object.entries(options.headers ?? {}));
  return {
    token: headers.get("Authorization")?.toString(),
    cert: options.cert as Buffer | string | undefined,
    key: options.key as Buffer | string | undefined,
  };
}
