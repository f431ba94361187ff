import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { KubeConfig, type Cluster } from "@kubernetes/client-node";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";

/** Whether a kubeconfig is its content, and no path: Pulumi's provider takes either in one setting. */
export function isContent(kubeconfig: string): boolean {
  return kubeconfig.includes("\n") || kubeconfig.trimStart().startsWith("{");
}

/** @param kubeconfig path or content */
export function contentOf(kubeconfig: string): string {
  return isContent(kubeconfig) ? kubeconfig : readFileSync(kubeconfig, "utf8");
}

/** What a kubeconfig is called in messages, which never have any of its content. */
export function nameOf(kubeconfig: string): string {
  return isContent(kubeconfig) ? "the kubeconfig in the configuration" : kubeconfig;
}

/** The files kubectl reads when it is told none. */
export function defaultKubeconfigs(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const listed = env["KUBECONFIG"]?.split(delimiter).filter(Boolean) ?? [];
  return listed.length > 0 ? listed : [join(homedir(), ".kube", "config")];
}

/**
 * The one file for a context where $KUBECONFIG lists several: Pulumi's Kubernetes provider takes the whole list for one
 * path, and the client refuses two files with a cluster of one name.
 *
 * @param context its name. @default the first file with a current context is meant
 * @returns an absolute path, or undefined if there is no list, or no file of it has the context
 */
export function listedKubeconfig(
  context: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const files = defaultKubeconfigs(env);
  const given = env["KUBECONFIG"] ?? "";
  if (given === "" || given === files[0]) return undefined;
  const found = existing(files).find((file) => {
    const config = readKubeconfig(file);
    return context === undefined ? config.currentContext : config.getContextObject(context);
  });
  return found === undefined ? undefined : resolve(found);
}

/** As kubectl does, without those of a list that are not there. */
function existing(files: readonly string[]): readonly string[] {
  return files.length > 1 ? files.filter((file) => existsSync(file)) : files;
}

/**
 * The API server of a context, from the first of the kubeconfigs that has the context.
 *
 * @param kubeconfigs paths, or the content of one
 * @throws Error that says what is wrong with which file
 */
export function apiServerOf(kubeconfigs: readonly string[], context: string): ApiServer {
  const seen: string[] = [];
  // One by one: KubeConfig merges files, and refuses two with a cluster of one name, which kubectl takes.
  for (const kubeconfig of existing(kubeconfigs)) {
    const file = nameOf(kubeconfig);
    const config = readKubeconfig(kubeconfig);
    const found = config.getContextObject(context);
    if (!found) {
      seen.push(...config.getContexts().map(({ name }) => name));
      continue;
    }
    const cluster = config.getCluster(found.cluster);
    if (!cluster) {
      throw new Error(
        `its context ${context} names a cluster ${found.cluster} that ${file} does not have`,
      );
    }
    const user = config.getUser(found.user);
    if (!user && kubeconfigs.length > 1) {
      throw new Error(
        `its context ${context} names a user ${found.user} that ${file} does not have, and Pulumi's Kubernetes provider reads no other file for it`,
      );
    }
    requireServer(cluster);
    const { server, caData, caFile, tlsServerName } = cluster;
    const relative = relativePaths(kubeconfig, found.cluster, found.user);
    if (relative.length > 0) {
      throw new Error(
        `${file} has paths that start from its own folder, where Pulumi's Kubernetes provider does not look: ${relative.join(", ")}. Make them absolute, or have kubectl put the content there: kubectl config view --flatten${isContent(kubeconfig) ? "" : ` --kubeconfig ${file}`}`,
      );
    }
    return {
      server,
      certificateAuthority:
        caData ?? (caFile === undefined ? undefined : readFileSync(caFile).toString("base64")),
      ...(tlsServerName !== undefined && { tlsServerName }),
    };
  }
  throw new Error(
    `no such context in ${kubeconfigs.map(nameOf).join(", ")}, only ${seen.join(", ") || "none at all"}`,
  );
}

function readKubeconfig(kubeconfig: string): KubeConfig {
  const config = new KubeConfig();
  loadInto(config, kubeconfig);
  if (config.getContexts().length === 0 && config.getClusters().length === 0) {
    throw noKubeconfig(kubeconfig);
  }
  return config;
}

/** @throws if the server of a cluster is no URL: kubectl takes one without a scheme */
export function requireServer({ name, server }: Cluster): void {
  if (/^https?:\/\//.test(server) && URL.canParse(server)) return;
  throw new Error(
    `its cluster ${name} has the server ${server}, which is no URL. Write it whole, for example: https://10.0.0.1:6443`,
  );
}

function noKubeconfig(kubeconfig: string): Error {
  return new Error(`${nameOf(kubeconfig)} is not a kubeconfig with contexts and clusters`);
}

/**
 * Has a client read a kubeconfig.
 *
 * @param kubeconfig path or content
 * @throws Error with nothing of what is in it
 */
export function loadInto(config: KubeConfig, kubeconfig: string): void {
  try {
    if (isContent(kubeconfig)) config.loadFromString(kubeconfig);
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    if (error instanceof Error && "code" in error) throw error;
    // The parser's own error quotes the file, and so the credentials in it: it goes no further.
    throw noKubeconfig(kubeconfig);
  }
}

/** Paths of a cluster and a user that lead nowhere from this process's folder, as they are written in the file. */
function relativePaths(kubeconfig: string, cluster: string, user: string): readonly string[] {
  const config = new KubeConfig();
  // Unlike loadFromFile, this leaves paths as they are.
  config.loadFromString(contentOf(kubeconfig));
  const { caFile, caData } = config.getCluster(cluster) ?? {};
  const found = config.getUser(user);
  const { certFile, certData, keyFile, keyData } = found ?? {};
  const command: unknown = (found?.exec as { command?: unknown } | undefined)?.command;
  const paths = [
    caData === undefined ? caFile : undefined,
    certData === undefined ? certFile : undefined,
    keyData === undefined ? keyFile : undefined,
    // One without a folder is looked for on PATH.
    typeof command === "string" && command.includes("/") ? command : undefined,
  ];
  return paths.filter(
    (path): path is string => path !== undefined && !isAbsolute(path) && !existsSync(resolve(path)),
  );
}
