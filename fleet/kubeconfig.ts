import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";

/** The files kubectl reads when it is told none. */
export function defaultKubeconfigs(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const listed = env["KUBECONFIG"]?.split(delimiter).filter(Boolean) ?? [];
  return listed.length > 0 ? listed : [join(homedir(), ".kube", "config")];
}

/**
 * The API server of a context, from the first of the files that has the context.
 *
 * @throws Error that says what is wrong with which file
 */
export function apiServerOf(files: readonly string[], context: string): ApiServer {
  const seen: string[] = [];
  // One by one: KubeConfig merges files, and refuses two with a cluster of one name, which kubectl takes.
  for (const file of files) {
    const config = readKubeconfig(file);
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
    const { server, caData, caFile } = cluster;
    return {
      server,
      certificateAuthority:
        caData ?? (caFile === undefined ? undefined : readFileSync(caFile).toString("base64")),
    };
  }
  throw new Error(
    `no such context in ${files.join(", ")}, only ${seen.join(", ") || "none at all"}`,
  );
}

function readKubeconfig(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (error) {
    if (error instanceof Error && "code" in error) throw error;
    // The parser's own error quotes the file, and so the credentials in it: it goes no further.
    config.loadFromOptions({ clusters: [], contexts: [], users: [] });
  }
  if (config.getContexts().length === 0 && config.getClusters().length === 0) {
    throw new Error(`${file} is not a kubeconfig with contexts and clusters`);
  }
  return config;
}
