import { isContent } from "../fleet/kubeconfig.ts";
import type { Problem } from "../lib/problems.ts";
import { KEYS_WITH_SECRETS } from "./schema.ts";

/**
 * Problems with secrets under keys whose values become part of Deployments, Helm values and outputs,
 * where everyone who reads a preview, the state or the cluster's objects would see them.
 *
 * @param secretKeys keys with a secret in their value, with their namespace
 */
export function misplacedSecrets(secretKeys: readonly string[], project: string): Problem[] {
  const prefix = `${project}:`;
  return secretKeys
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .filter((key) => !(KEYS_WITH_SECRETS as readonly string[]).includes(key))
    .map((path) => ({
      path,
      rule: "must not hold a secret: its values are visible in previews, in the state and in the clusters",
      fix:
        path === "services"
          ? "Put it into secrets, name it under secretEnv or secretFiles, and set the value here without --secret."
          : "Keep it in a Kubernetes Secret that the service reads, and set the value here without --secret.",
    }));
}

/** The content of a kubeconfig, with its credentials, that nothing has encrypted. */
export function plainKubeconfig(kubeconfig: unknown, isSecret: boolean): Problem[] {
  return typeof kubeconfig === "string" && isContent(kubeconfig) && !isSecret
    ? [
        {
          path: "kubeconfig",
          rule: "must be encrypted, since it is the content of a kubeconfig: it would be in the stack's file and in the state in plain text",
          fix: "Set it with: pulumi config set --secret kubeconfig < FILE. Or set the path of the file.",
        },
      ]
    : [];
}

/** The content of a kubeconfig under a cluster, whose values nothing encrypts: no part of it is shown. */
export function contentInClusters(
  clusters: readonly { readonly kubeconfig?: unknown }[],
): Problem[] {
  return clusters.flatMap(({ kubeconfig }, i) =>
    typeof kubeconfig === "string" && isContent(kubeconfig)
      ? [
          {
            path: `clusters[${i}].kubeconfig`,
            rule: "must be the path of a file: content here would be in the stack's file in plain text",
            fix: "Put the contexts of all clusters into one kubeconfig, and set its content with: pulumi config set --secret kubeconfig < FILE. Credentials that were committed must be replaced.",
          },
        ]
      : [],
  );
}

/** Keys of the configuration with a secret in their value, as the language host names them. */
export function secretKeysOf(environment: NodeJS.ProcessEnv): readonly string[] {
  return JSON.parse(environment["PULUMI_CONFIG_SECRET_KEYS"] ?? "[]") as string[];
}
