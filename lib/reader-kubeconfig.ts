import { dump } from "js-yaml";

/** An API server as another cluster reaches it. */
export interface ApiServer {
  /** Its URL. */
  readonly server: string;
  /** The authority behind its certificate, PEM in base64. @default one that systems trust anyway */
  readonly certificateAuthority?: string | undefined;
}

/** A kubeconfig with which istiod of another cluster reads this one: one cluster, one token. */
export function readerKubeconfig(cluster: string, apiServer: ApiServer, token: string): string {
  const ca = apiServer.certificateAuthority;
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: cluster,
        cluster: {
          server: apiServer.server,
          ...(ca !== undefined && { "certificate-authority-data": ca }),
        },
      },
    ],
    users: [{ name: cluster, user: { token } }],
    contexts: [{ name: cluster, context: { cluster, user: cluster } }],
    "current-context": cluster,
  });
}
