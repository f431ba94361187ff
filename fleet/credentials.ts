import https from "node:https";
import { TokenCommand } from "./token-command.ts";

/** How a program logs in at an HTTP server; all but the command is secret. */
export interface CredentialsArgs {
  readonly bearerToken?: string | undefined;
  readonly basicAuth?: { readonly username: string; readonly password: string } | undefined;
  /** A program, with its arguments, that prints a token. */
  readonly tokenCommand?: readonly string[] | undefined;
  /** @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Certificates and key, PEM. @default those that Node.js trusts, and none of the client's own */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly certificate?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
}

/** Longest time that a connection is kept which nobody uses, in milliseconds; as Node.js does without TLS options. */
const IDLE_MS = 5_000;

/** What a request shows to a server to be let in. */
export class Credentials {
  readonly #args: CredentialsArgs;
  readonly #command: TokenCommand | undefined;
  /** The token that was sent last. */
  #token = "";
  /** For https, where there are certificates to show or to check. */
  readonly agent: https.Agent | undefined;
  /** Names of the keys that are set. */
  readonly keys: readonly string[];

  constructor(args: CredentialsArgs = {}) {
    this.#args = args;
    const { tokenCommand, headers = {}, tls = {} } = args;
    const { ca, certificate, key } = tls;
    this.#command = tokenCommand && new TokenCommand(tokenCommand);
    const secure = [ca, certificate, key].some((each) => each !== undefined);
    this.agent = secure
      ? new https.Agent({
          ...(ca !== undefined && { ca }),
          ...(certificate !== undefined && { cert: certificate }),
          ...(key !== undefined && { key }),
          keepAlive: true,
          timeout: IDLE_MS,
        })
      : undefined;
    const optional = ["bearerToken", "basicAuth", "tokenCommand"] as const;
    this.keys = [
      ...optional.filter((name) => args[name] !== undefined),
      ...(Object.keys(headers).length > 0 ? ["headers"] : []),
      ...(secure ? ["tls"] : []),
    ];
  }

  /**
   * Sends a request with the headers that log it in, and once more with a new token if the server does not take a
   * program's token.
   *
   * @throws what `send` throws, or if the program gives no token
   */
  async ask<T extends { readonly status: number }>(
    send: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ): Promise<T> {
    const { headers = {} } = this.#args;
    const command = this.#command;
    if (!command) return send({ ...headers, ...this.#fixed() });
    const withToken = async () => {
      const token = await command.token();
      this.#token = token;
      const answer = await send({ ...headers, authorization: `Bearer ${token}` });
      return { token, answer };
    };
    const first = await withToken();
    if (first.answer.status !== 401) return first.answer;
    await command.forget(first.token);
    return (await withToken()).answer;
  }

  /** A text of the server's without the secrets that it may have repeated. */
  hide(text: string): string {
    const { basicAuth, headers = {} } = this.#args;
    const secrets = [
      ...Object.values({ ...headers, ...this.#fixed() }).flatMap((value) => [
        value,
        value.replace(/^\w+ /, ""),
      ]),
      ...(basicAuth ? [basicAuth.password] : []),
      this.#token,
    ];
    return secrets
      .filter((secret) => secret !== "")
      .reduce((shown, secret) => shown.replaceAll(secret, "[secret]"), text);
  }

  /** The header Authorization, unless a program gives it. */
  #fixed(): Readonly<Record<string, string>> {
    const { bearerToken, basicAuth } = this.#args;
    if (bearerToken !== undefined) return { authorization: `Bearer ${bearerToken}` };
    if (!basicAuth) return {};
    const { username, password } = basicAuth;
    const both = Buffer.from(`${username}:${password}`).toString("base64");
    return { authorization: `Basic ${both}` };
  }
}
