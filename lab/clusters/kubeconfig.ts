import { dump } from "js-yaml";

/** The parts of a kubeconfig that the lab writes. */
export interface Kubeconfig {
  readonly apiVersion: "v1";
  readonly kind: "Config";
  readonly "current-context": string;
  readonly clusters: readonly { readonly name: string; readonly cluster: unknown }[];
  readonly users: readonly { readonly name: string; readonly user: unknown }[];
  readonly contexts: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string };
  }[];
}

/** A kubeconfig for one cluster; cluster, user and context all have the cluster's name. */
export function kubeconfig(cluster: {
  readonly name: string;
  readonly server: string;
  /** PEM texts. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}): Kubeconfig {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const { name } = cluster;
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [
      {
        name,
        cluster: {
          server: cluster.server,
          "certificate-authority-data": base64(cluster.ca),
        },
      },
    ],
    users: [
      {
        name,
        user: {
          "client-certificate-data": base64(cluster.certificate),
          "client-key-data": base64(cluster.key),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
}

/** One kubeconfig with the contexts of all; the current context is that of the first. */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": configs[0]?.["current-context"] ?? "",
    clusters: configs.flatMap((config) => config.clusters),
    users: configs.flatMap((config) => config.users),
    contexts: configs.flatMap((config) => config.contexts),
  };
}

/** The kubeconfig as the text of its file. */
export function stringifyKubeconfig(config: Kubeconfig): string {
  return dump(config, { lineWidth: -1 });
}
