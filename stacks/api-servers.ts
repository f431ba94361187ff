import { ClusterKubeConfig } from "../fleet/cluster-kubeconfig.ts";
import { apiServerOf, defaultKubeconfigs, listedKubeconfig } from "../fleet/kubeconfig.ts";
import type { Problem } from "../lib/problems.ts";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";
import type { Loose } from "./checks.ts";

/** Where a cluster's context is written, for whoever has to change it. */
type ContextPath = (index: number) => string;

/**
 * The API server of each cluster; contexts that lead to none, or two to one, go to `problems`.
 *
 * @param clusters as they were written
 * @param kubeconfig path of the file for clusters that name none of their own
 */
export function apiServers(
  clusters: readonly Loose[],
  kubeconfig: string | undefined,
  problems: Problem[],
  contextPath: ContextPath = (i) => `clusters[${i}].context`,
): readonly (ApiServer | undefined)[] {
  const servers = clusters.map((cluster, i) =>
    serverOf(cluster, kubeconfig, contextPath(i), problems),
  );
  problems.push(...sameServer(servers, contextPath));
  return servers;
}

function serverOf(
  cluster: Loose,
  kubeconfig: string | undefined,
  path: string,
  problems: Problem[],
): ApiServer | undefined {
  const { context, apiServer } = cluster;
  problems.push(...withoutServer(cluster, path.replace(/context$/, "")));
  const file = typeof cluster["kubeconfig"] === "string" ? cluster["kubeconfig"] : kubeconfig;
  if (typeof context !== "string" || context === "") {
    return undefined;
  }
  try {
    const known = apiServerOf(file === undefined ? defaultKubeconfigs() : [file], context);
    // What it says of the user and of a proxy is read, too.
    new ClusterKubeConfig(context, file ?? listedKubeconfig(context));
    return typeof apiServer === "string" ? ownServer(cluster, apiServer, known) : known;
  } catch (error) {
    problems.push({
      path,
      value: context,
      rule: `must be a context of the kubeconfig: ${error instanceof Error ? error.message : String(error)}`,
      fix: "Name a context that kubectl config get-contexts lists, or set kubeconfig to the file that has it.",
    });
    return undefined;
  }
}

/** Keys that are about `apiServer`, where it is not given. */
function withoutServer(cluster: Loose, at: string): Problem[] {
  if (cluster["apiServer"] !== undefined) return [];
  return ["apiServerAuthority", "tlsServerName"].flatMap((key) =>
    cluster[key] === undefined
      ? []
      : [
          {
            path: `${at}${key}`,
            value: cluster[key],
            rule: "must be left out unless `apiServer` is given: the kubeconfig says it of its own URL",
            fix: `Set ${at}apiServer to the URL at which the other clusters reach the API server, or remove it.`,
          },
        ],
  );
}

/**
 * An API server that the other clusters reach at another URL than this machine. The name that the kubeconfig expects is
 * that of its own URL. What authority is behind the certificate, the kubeconfig may not know either: it may lead
 * through a proxy.
 */
function ownServer(
  { apiServerAuthority, tlsServerName }: Loose,
  server: string,
  { certificateAuthority }: ApiServer,
): ApiServer {
  return {
    server,
    ...(apiServerAuthority !== "system" && { certificateAuthority }),
    // Without one in the kubeconfig, nothing says that the certificate is not by an authority that systems trust.
    ...(apiServerAuthority === "cluster" && { trustsAccounts: "only" }),
    ...(apiServerAuthority === undefined &&
      certificateAuthority !== undefined && { trustsAccounts: "also" }),
    ...(typeof tlsServerName === "string" && { tlsServerName }),
  };
}

/** Two contexts with one server are one cluster, whatever they are called. */
function sameServer(
  servers: readonly (ApiServer | undefined)[],
  contextPath: ContextPath,
): Problem[] {
  const urls = servers.map((known) => known?.server);
  return urls.flatMap((url, i) =>
    url !== undefined && urls.indexOf(url) < i
      ? [
          {
            path: contextPath(i),
            value: url,
            rule: `must lead to a different API server than ${contextPath(urls.indexOf(url))}`,
            fix: "Name the context of the other cluster.",
          },
        ]
      : [],
  );
}

/** Whether a host is this machine, or what a pod calls the API server of its own cluster. */
function isLocal(hostname: string): boolean {
  return (
    ["localhost", "[::1]", "0.0.0.0"].includes(hostname) ||
    hostname.startsWith("127.") ||
    /^kubernetes(\.default(\..*)?)?$/.test(hostname)
  );
}

/** Servers that only this machine, or this cluster, reaches, and no other cluster. */
export function localServers(servers: readonly (ApiServer | undefined)[]): Problem[] {
  return servers.flatMap((known, i) => {
    const server = known?.server ?? "";
    const hostname = URL.canParse(server) ? new URL(server).hostname : "";
    return isLocal(hostname)
      ? [
          {
            path: `clusters[${i}].apiServer`,
            value: server,
            rule: "must be an address that other clusters can reach: their istiod reads endpoints there",
            fix: "Set it to the API server's URL as seen from outside the cluster's machine.",
          },
        ]
      : [];
  });
}
