import type { Problem } from "../lib/problems.ts";

/**
 * Settings of Pulumi's Kubernetes provider by which an update of a cluster that does not answer counts
 * as a success. A weight would then differ between clusters, and the command would say that all is well.
 */
const MODES = [
  {
    key: "kubernetes:skipUpdateUnreachable",
    variable: "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    rule: "must not be on: updates of a cluster that does not answer would be skipped and count as done",
  },
  {
    key: "kubernetes:deleteUnreachable",
    variable: "PULUMI_K8S_DELETE_UNREACHABLE",
    rule: "must not be on: Pulumi would forget what runs in a cluster that does not answer",
  },
] as const;

/** What the SDK of the provider, or the provider itself, takes for true. */
const ON = /^(1|t|true)$/i;

/**
 * Problems with modes that leave out clusters which do not answer.
 *
 * @param config all keys of the stack's configuration, with their namespaces
 */
export function unreachableModes(
  config: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv,
): Problem[] {
  return MODES.flatMap(({ key, variable, rule }) => [
    ...(ON.test(config[key] ?? "")
      ? [{ path: key, value: config[key], rule, fix: `Remove it with: pulumi config rm ${key}` }]
      : []),
    ...(ON.test(environment[variable] ?? "")
      ? [
          {
            path: variable,
            value: environment[variable],
            rule,
            fix: `Remove it from the environment: unset ${variable}`,
          },
        ]
      : []),
  ]);
}
