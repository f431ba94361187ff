import { dump } from "js-yaml";

/** An API server as another cluster reaches it. */
export interface ApiServer {
  /** Its URL. */
  readonly server: string;
  /** The authority behind its certificate, PEM in base64. @default one that systems trust anyway */
  readonly certificateAuthority?: string | undefined;
  /**
   * Whether the authority that the cluster tells its accounts is trusted: `also` beside that one, `only` in place of it.
   * @default it is not
   */
  readonly trustsAccounts?: "also" | "only" | undefined;
  /** Name that its certificate has, where that is not the URL's host (`tls-server-name`). @default the URL's host */
  readonly tlsServerName?: string | undefined;
}

/** How an account in another cluster reads a cluster. */
export interface Reader {
  /** The cluster that is read. */
  readonly cluster: string;
  readonly apiServer: ApiServer;
  readonly token: string;
}

/** The single certificates of an authority, PEM in base64. */
function certificatesIn(authority: string): readonly string[] {
  const text = Buffer.from(authority, "base64").toString();
  return (text.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? []).map(
    (pem) => pem.replaceAll(/[\r\n]+/g, "\n"),
  );
}

/** Both authorities, each certificate once; the first as it is if it has all of the second. */
function bothAuthorities(first: string, second: string): string {
  const known = certificatesIn(first);
  const more = certificatesIn(second).filter((pem) => !known.includes(pem));
  return more.length === 0
    ? first
    : Buffer.from(`${[...known, ...more].join("\n")}\n`).toString("base64");
}

/** How an account with these credentials reads a cluster: what it trusts depends on what the API server's entry says. */
export function readerOf(
  cluster: string,
  apiServer: ApiServer,
  {
    token,
    certificateAuthority: told,
  }: { readonly token: string; readonly certificateAuthority: string | undefined },
): Reader {
  const { certificateAuthority: given, trustsAccounts } = apiServer;
  if (told === undefined || trustsAccounts === undefined) return { cluster, apiServer, token };
  const certificateAuthority =
    trustsAccounts === "only" || given === undefined ? told : bothAuthorities(given, told);
  return { cluster, apiServer: { ...apiServer, certificateAuthority }, token };
}

/** A kubeconfig with a context for each cluster that is read, by its name. The first one is the current. */
export function readerKubeconfig(...readers: readonly Reader[]): string {
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: readers.map(
      ({ cluster, apiServer: { server, certificateAuthority, tlsServerName } }) => ({
        name: cluster,
        cluster: {
          server,
          ...(certificateAuthority !== undefined && {
            "certificate-authority-data": certificateAuthority,
          }),
          ...(tlsServerName !== undefined && { "tls-server-name": tlsServerName }),
        },
      }),
    ),
    users: readers.map(({ cluster, token }) => ({ name: cluster, user: { token } })),
    contexts: readers.map(({ cluster }) => ({
      name: cluster,
      context: { cluster, user: cluster },
    })),
    ...(readers[0] && { "current-context": readers[0].cluster }),
  });
}
