import { dump } from "js-yaml";

/** An API server as another cluster reaches it. */
export interface ApiServer {
  /** Its URL. */
  readonly server: string;
  /** The authority behind its certificate, PEM in base64. @default one that systems trust anyway */
  readonly certificateAuthority?: string | undefined;
}

/** How an account in another cluster reads a cluster. */
export interface Reader {
  /** The cluster that is read. */
  readonly cluster: string;
  readonly apiServer: ApiServer;
  readonly token: string;
}

/** A kubeconfig with a context for each cluster that is read, by its name. The first one is the current. */
export function readerKubeconfig(...readers: readonly Reader[]): string {
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: readers.map(({ cluster, apiServer: { server, certificateAuthority } }) => ({
      name: cluster,
      cluster: {
        server,
        ...(certificateAuthority !== undefined && {
          "certificate-authority-data": certificateAuthority,
        }),
      },
    })),
    users: readers.map(({ cluster, token }) => ({ name: cluster, user: { token } })),
    contexts: readers.map(({ cluster }) => ({
      name: cluster,
      context: { cluster, user: cluster },
    })),
    ...(readers[0] && { "current-context": readers[0].cluster }),
  });
}
