import { existsSync } from "node:fs";
import tls from "node:tls";
import { KubeConfig, type Cluster, type User } from "@kubernetes/client-node";
import { load } from "js-yaml";
import * as z from "zod";
import { environmentProxy } from "./environment-proxy.ts";
import { ExecCredentials } from "./exec-credentials.ts";
import { explain } from "./explain.ts";
import { contentOf, defaultKubeconfigs, loadInto, nameOf, requireServer } from "./kubeconfig.ts";

/** What a kubeconfig may say of a user that the client does not read. */
const moreOfUser = z.looseObject({
  tokenFile: z.string().nullish(),
  "as-uid": z.string().nullish(),
  "as-groups": z.array(z.string()).nullish(),
  "as-user-extra": z.record(z.string(), z.array(z.string())).nullish(),
});
const written = z.looseObject({
  users: z.array(z.looseObject({ name: z.string(), user: z.unknown() })).nullish(),
});

type Authenticator = Parameters<KubeConfig["addAuthenticator"]>[0];
type Options = Parameters<KubeConfig["applyToHTTPSOptions"]>[0];
type RequestContext = Parameters<KubeConfig["applySecurityAuthentication"]>[0];

/** Marks users whose program is run by ExecCredentials: the client would run it for each request that is under way, for as long as it takes. */
const EXEC = "istio-canary-exec";

/**
 * One context of a kubeconfig, taken as client-go takes it, so that the program reaches a cluster in the way in which
 * Pulumi's provider does: programs for credentials, token files, impersonation, and proxies of the environment.
 */
export class ClusterKubeConfig extends KubeConfig {
  readonly #impersonated: Record<string, readonly string[]> = {};
  readonly #exec: ExecCredentials | undefined;

  /**
   * @param kubeconfig path or content of a kubeconfig. @default the first file that kubectl reads, or the account of this pod
   * @throws if the kubeconfig cannot be read, or what it says of the context's user or proxy cannot be used
   */
  constructor(context: string, kubeconfig = defaultKubeconfigs().find((file) => existsSync(file))) {
    super();
    if (kubeconfig === undefined) this.loadFromDefault();
    else loadInto(this, kubeconfig);
    this.setCurrentContext(context);
    const [cluster, user] = [this.getCurrentCluster(), this.getCurrentUser()];
    const said = kubeconfig === undefined || !user ? undefined : moreOf(user.name, kubeconfig);
    if (user?.exec) {
      const exec = usable(`exec of user ${user.name}`, () => new ExecCredentials(user, cluster));
      this.#exec = exec;
      this.addAuthenticator(authenticator(exec));
    }
    if (said) this.#impersonated = impersonation(said);
    this.users = this.users.map((each) =>
      each.name === user?.name ? completed(each, said) : each,
    );
    this.clusters = this.clusters.map((each) =>
      each.name === cluster?.name
        ? reached(each, Object.keys(this.#impersonated).length > 0)
        : each,
    );
  }

  /** Has a program of the kubeconfig asked again for credentials. */
  forgetCredentials(): void {
    this.#exec?.forget();
  }

  override async applyToHTTPSOptions(opts: Options): Promise<void> {
    await super.applyToHTTPSOptions(opts);
    opts.headers = { ...(opts.headers as object | undefined), ...copied(this.#impersonated) };
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    const headers = copied(this.#impersonated);
    if (Object.keys(headers).length === 0) return;
    // Each group needs a header of its own, which fetch would join.
    const dispatcher = context
      .getDispatcher()
      ?.compose(
        (dispatch) => (options, handler) =>
          dispatch(
            { ...options, headers: { ...(options.headers as object), ...headers } },
            handler,
          ),
      );
    if (dispatcher) context.setDispatcher(dispatcher);
  }
}

function moreOf(name: string, kubeconfig: string): z.output<typeof moreOfUser> | undefined {
  return usable(`user ${name} of ${nameOf(kubeconfig)}`, () => {
    const { users } = written.parse(load(contentOf(kubeconfig)));
    return moreOfUser.nullish().parse(users?.find((each) => each.name === name)?.user) ?? undefined;
  });
}

/** @throws saying what of the kubeconfig cannot be used, and why */
function usable<T>(what: string, read: () => T): T {
  let why: string;
  try {
    return read();
  } catch (error) {
    // As a cause, it would be all that is told.
    why = explain(error);
  }
  throw new Error(`${what} cannot be used: ${why}`);
}

/** The headers of impersonation beside the one for the name, which the client sends. */
function impersonation(said: z.output<typeof moreOfUser>): Record<string, readonly string[]> {
  const { "as-uid": uid, "as-groups": groups, "as-user-extra": extra } = said;
  return {
    ...(uid != null && { "impersonate-uid": [uid] }),
    ...(groups != null && groups.length > 0 && { "impersonate-group": groups }),
    ...Object.fromEntries(
      Object.entries(extra ?? {}).map(([key, values]) => [
        `impersonate-extra-${encodeURIComponent(key.toLowerCase())}`,
        values,
      ]),
    ),
  };
}

function copied(headers: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, [...values]]));
}

function completed(user: User, said: z.output<typeof moreOfUser> | undefined): User {
  if (user.exec) return { ...user, exec: undefined, authProvider: { name: EXEC } };
  const { tokenFile } = said ?? {};
  return tokenFile == null || user.token !== undefined
    ? user
    : { ...user, authProvider: { name: "tokenFile", config: { tokenFile } } };
}

function reached(cluster: Cluster, needsDispatcher: boolean): Cluster {
  requireServer(cluster);
  const { proxyUrl = environmentProxy(cluster.server) } = cluster;
  if (proxyUrl !== undefined) requireProxy(proxyUrl, cluster);
  const { caData, caFile, skipTLSVerify } = cluster;
  // The client leaves a server without a word on its authority to fetch, which takes no header twice.
  const asFetch = needsDispatcher && caData === undefined && caFile === undefined && !skipTLSVerify;
  return {
    ...cluster,
    ...(proxyUrl !== undefined && { proxyUrl }),
    ...(asFetch && {
      caData: Buffer.from(tls.getCACertificates("default").join("\n")).toString("base64"),
    }),
  };
}

/** A proxy's URL may have a password, of which nothing is shown. */
function requireProxy(url: string, { name, proxyUrl }: Cluster): void {
  if (/^(https?|socks\w*):\/\//.test(url) && URL.canParse(url)) return;
  const where = proxyUrl === undefined ? "HTTPS_PROXY" : `proxy-url of cluster ${name}`;
  throw new Error(`${where} must be a URL that begins with http://, https:// or socks5://`);
}

function authenticator(exec: ExecCredentials): Authenticator {
  return {
    isAuthProvider: ({ authProvider }: User) =>
      (authProvider as { readonly name?: string } | null | undefined)?.name === EXEC,
    applyAuthentication: async (_, opts) => {
      const { token, clientCertificateData, clientKeyData } = await exec.get();
      if (clientCertificateData !== undefined) opts.cert = clientCertificateData;
      if (clientKeyData !== undefined) opts.key = clientKeyData;
      if (token !== undefined) {
        opts.headers = {
          ...(opts.headers as object | undefined),
          Authorization: `Bearer ${token}`,
        };
      }
    },
  };
}
