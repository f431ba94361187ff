import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { load } from "js-yaml";
import * as z from "zod";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";

const kubeconfigSchema = z.object({
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.string(),
        "certificate-authority-data": z.string().optional(),
        "certificate-authority": z.string().optional(),
      }),
    }),
  ),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string() }) })),
});

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
  for (const file of files) {
    const { clusters, contexts } = readKubeconfig(file);
    const found = contexts.find(({ name }) => name === context);
    if (!found) {
      seen.push(...contexts.map(({ name }) => name));
      continue;
    }
    const cluster = clusters.find(({ name }) => name === found.context.cluster)?.cluster;
    if (!cluster) {
      throw new Error(
        `its context ${context} names a cluster ${found.context.cluster} that ${file} does not have`,
      );
    }
    const caFile = cluster["certificate-authority"];
    return {
      server: cluster.server,
      certificateAuthority:
        cluster["certificate-authority-data"] ??
        (caFile === undefined
          ? undefined
          : readFileSync(resolve(dirname(file), caFile)).toString("base64")),
    };
  }
  throw new Error(
    `no such context in ${files.join(", ")}, only ${seen.join(", ") || "none at all"}`,
  );
}

function readKubeconfig(file: string): z.infer<typeof kubeconfigSchema> {
  const parsed = kubeconfigSchema.safeParse(load(readFileSync(file, "utf8")));
  if (!parsed.success) {
    throw new Error(`${file} is no kubeconfig with contexts and clusters`);
  }
  return parsed.data;
}
