import * as z from "zod";
import type { Cluster, User } from "@kubernetes/client-node";
import { fromJson } from "../lib/from-json.ts";
import { askProgram, NotInTime } from "./ask-program.ts";

/** How long a program may run, in milliseconds: some ask their cloud, and that one another. */
const LIMIT_MS = 30_000;

/** How long before their end credentials are not used any more, in milliseconds. */
const BEFORE_END_MS = 10_000;

/** How long a program that was late is not asked again, in milliseconds: what goes on without its cluster waits for it once. */
const LATE_MS = 60_000;

/** What a kubeconfig says under `exec`, as far as it is used. */
const execConfig = z.looseObject({
  apiVersion: z.string().default("client.authentication.k8s.io/v1"),
  command: z.string(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
  provideClusterInfo: z.boolean().nullish(),
});

/** What such a program prints: an ExecCredential. */
const execCredential = z.looseObject({
  status: z.looseObject({
    token: z.string().optional(),
    expirationTimestamp: z.string().nullish(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
  }),
});
type Credential = z.output<typeof execCredential>["status"];

/** Credentials that a program of a kubeconfig has printed, as long as they can be used. */
class Kept {
  readonly #ask: () => Promise<Credential>;
  #credential: Promise<Credential> | undefined;
  #until = Infinity;

  constructor(ask: () => Promise<Credential>) {
    this.#ask = ask;
  }

  /**
   * One call for all who ask at the same time; after one that has failed, the next who asks has another made, and after
   * one that was late the next who asks a minute later.
   */
  async get(): Promise<Credential> {
    if (this.#credential === undefined || Date.now() >= this.#until) {
      this.#until = Infinity;
      const asked = this.#ask();
      this.#credential = asked;
      asked.then(
        ({ expirationTimestamp }) => {
          const end = Date.parse(expirationTimestamp ?? "");
          if (!Number.isNaN(end)) this.#until = end - BEFORE_END_MS;
        },
        (error: unknown) => {
          if (error instanceof NotInTime) this.#until = Date.now() + LATE_MS;
          else this.forget();
        },
      );
    }
    return this.#credential;
  }

  forget(): void {
    this.#credential = undefined;
  }
}

/** By what is run: a process has several clients of a cluster, and several users may run the same program. */
const all = new Map<string, Kept>();

/** The user's program as its kubeconfig names it, which client-go, and so kubectl and Pulumi's provider, run as well. */
export class ExecCredentials {
  readonly #kept: Kept;

  /** @param limitMs for tests. @default 30 s */
  constructor(user: User, cluster: Cluster | null, limitMs = LIMIT_MS) {
    const { apiVersion, command, args, env, provideClusterInfo } = execConfig.parse(user.exec);
    const info = {
      apiVersion,
      kind: "ExecCredential",
      spec: { interactive: false, ...(provideClusterInfo === true && clusterInfo(cluster)) },
    };
    const variables = {
      ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    };
    const argv = [command, ...(args ?? [])];
    const name = JSON.stringify([argv, variables]);
    const kept =
      all.get(name) ??
      new Kept(async () =>
        askProgram(argv, { wanted: "credentials", limit: limitMs, env: variables }, credentialOf),
      );
    all.set(name, kept);
    this.#kept = kept;
  }

  async get(): Promise<Credential> {
    return this.#kept.get();
  }

  /** Has the program asked again: the API server has not taken what it gave. */
  forget(): void {
    this.#kept.forget();
  }
}

function clusterInfo(cluster: Cluster | null) {
  const { server, tlsServerName, skipTLSVerify, caData, proxyUrl } = cluster ?? {};
  return {
    cluster: {
      server,
      "tls-server-name": tlsServerName,
      "insecure-skip-tls-verify": skipTLSVerify,
      "certificate-authority-data": caData,
      "proxy-url": proxyUrl,
      config: null,
    },
  };
}

function credentialOf(stdout: string): Credential {
  const { data } = execCredential.safeParse(fromJson(stdout));
  const { token, clientCertificateData, clientKeyData } = data?.status ?? {};
  const hasPair = clientCertificateData !== undefined && clientKeyData !== undefined;
  if (!data || (token === undefined && !hasPair)) {
    throw new Error(
      stdout === ""
        ? "it printed nothing"
        : "it printed no ExecCredential with a token, or a certificate and its key",
    );
  }
  return data.status;
}
