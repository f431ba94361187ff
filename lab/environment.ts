import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { LabSettings } from "./settings.ts";

/** Name of the Pulumi stack that the lab runs. */
export const labStack = "lab";

/** Where the lab keeps what its programs use, in its folder. */
export function labPaths(settings: LabSettings) {
  return {
    bin: path.join(settings.dir, "bin"),
    /** A file that holds the range of addresses that nodes and load balancers are in. */
    nodeCidr: path.join(settings.dir, "node-cidr"),
    /** Images of the checkout itself. */
    images: path.join(settings.dir, "images"),
    kubeconfig: path.join(settings.dir, "kubeconfig"),
    passphrase: path.join(settings.dir, "passphrase"),
    pulumiHome: path.join(settings.dir, "pulumi-home"),
    state: path.join(settings.dir, "state"),
  };
}

/**
 * The environment in which pulumi, kubectl, istioctl and helm work on the lab.
 *
 * @param env the environment to add to: its PATH and NO_PROXY are kept
 */
export function labEnvironment(
  settings: LabSettings,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const { bin, kubeconfig, passphrase, pulumiHome, state } = labPaths(settings);
  const nodeBin = path.join(settings.root, "node_modules", ".bin");
  return {
    PATH: [bin, nodeBin, env["PATH"] ?? "/usr/bin:/bin"].join(path.delimiter),
    KUBECONFIG: kubeconfig,
    PULUMI_HOME: pulumiHome,
    PULUMI_BACKEND_URL: `file://${state}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: passphrase,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    // All plugins are in the lab's PULUMI_HOME or beside its pulumi; of one on PATH, pulumi warns in every process.
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    NODE_COMPILE_CACHE: path.join(settings.dir, "compile-cache"),
    ...withoutProxy(settings, env),
  };
}

/** Keeps a proxy that the user's shell names from being asked for addresses of the lab. */
function withoutProxy(settings: LabSettings, env: NodeJS.ProcessEnv): Record<string, string> {
  const { nodeCidr } = labPaths(settings);
  if (!existsSync(nodeCidr)) return {};
  const own = ["127.0.0.1", "localhost", readFileSync(nodeCidr, "utf8").trim()];
  const value = [env["NO_PROXY"] ?? env["no_proxy"] ?? "", ...own].filter(Boolean).join(",");
  return { NO_PROXY: value, no_proxy: value };
}
