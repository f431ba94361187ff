import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection } from "./kubeconfig.ts";
import { registryConfig, valueSources } from "./helm-command.ts";
import { redact, secretTexts, plain, type Fields } from "./values.ts";

/** How long helm may take to end once it has been cancelled, in milliseconds. */
const STOP_WITHIN = 2_500;

/** helm has failed; the message is what it printed. */
export class HelmError extends Error {}

export interface HelmOptions {
  readonly connection: Connection;
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** File by which helm is logged in to registries. @default what this user is logged in to */
  readonly registryConfig?: string;
}

/**
 * Runs helm with the values of some inputs, and the login to their registry, in files that only this user can read,
 * and gives what it printed. The files are removed when helm has ended.
 *
 * @param args the arguments, given the paths of the value files
 */
export async function helmWithValues(
  inputs: Fields,
  args: (valueFiles: readonly string[]) => readonly string[],
  options: HelmOptions,
): Promise<string> {
  const { files, values } = valueSources(inputs);
  const folder = await mkdtemp(join(tmpdir(), "pulumi-helm-"));
  try {
    const paths: string[] = [];
    for (const file of [...files, { text: JSON.stringify(plain(values)) }]) {
      if ("path" in file) {
        paths.push(file.path);
        continue;
      }
      const path = join(folder, `values-${paths.length}.yaml`);
      await writeFile(path, file.text, { mode: 0o600 });
      paths.push(path);
    }
    const login = registryConfig(plain(inputs));
    if (login === undefined) return await helm(args(paths), options);
    const path = join(folder, "registry.json");
    await writeFile(path, login, { mode: 0o600 });
    return await helm(args(paths), { ...options, registryConfig: path });
  } catch (error) {
    if (!(error instanceof HelmError)) throw error;
    throw new HelmError(redact(error.message, secretTexts(inputs)), { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the `helm` on PATH against the provider's cluster and gives what it printed. */
export async function helm(args: readonly string[], options: HelmOptions): Promise<string> {
  const { connection, namespace, signal } = options;
  // Loaded only here: most previews never come this far.
  const { execa } = await import("execa");
  let folder: string | undefined;
  try {
    let kubeconfig: string;
    if ("path" in connection.source) {
      kubeconfig = connection.source.path;
    } else {
      folder = await mkdtemp(join(tmpdir(), "pulumi-helm-"));
      kubeconfig = join(folder, "kubeconfig");
      await writeFile(kubeconfig, connection.source.text, { mode: 0o600 });
    }
    const result = await execa(
      "helm",
      [
        ...args,
        ...["--namespace", namespace, "--kubeconfig", kubeconfig],
        ...["--kube-context", connection.context],
      ],
      {
        ...(options.registryConfig !== undefined && {
          env: { HELM_REGISTRY_CONFIG: options.registryConfig },
        }),
        stdin: "ignore",
        reject: false,
        cancelSignal: signal,
        killSignal: "SIGINT",
        forceKillAfterDelay: STOP_WITHIN,
        maxBuffer: 256 * 1024 * 1024,
      },
    );
    if (!result.failed) return result.stdout;
    if (result.code === "ENOENT") {
      throw new HelmError("helm is not on PATH; it installs and updates every Release");
    }
    if (result.isCanceled) throw new HelmError("cancelled");
    // What helm logs before its error says the same once more.
    const said = result.stderr.slice(result.stderr.lastIndexOf("Error: ")).trim();
    throw new HelmError(said === "" ? result.shortMessage : said.replace(/^Error: /, ""));
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}
