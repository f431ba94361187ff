import { existsSync } from "node:fs";
import type { Problem } from "../lib/problems.ts";
import type { Mesh } from "./schema.ts";

/**
 * What is wrong with where Istio's charts come from.
 *
 * @param secrets by name. @default they are not valid by themselves
 */
export function chartProblems(
  { charts, cni, istioVersion }: Mesh,
  secrets: Readonly<Record<string, string>> | undefined,
): Problem[] {
  const { directory, passwordSecret } = charts;
  const isMissing =
    passwordSecret !== undefined && secrets && !Object.hasOwn(secrets, passwordSecret);
  return [
    ...["base", "istiod", "gateway", ...(cni === "installed" ? ["cni"] : [])]
      .map((chart) => `${directory ?? ""}/${chart}-${istioVersion ?? ""}.tgz`)
      .filter((file) => directory !== undefined && !existsSync(file))
      .map((file) => ({
        path: "mesh.charts.directory",
        value: directory,
        rule: `must hold ${file}`,
        fix: "Put the packaged chart there, or use mesh.charts.repository.",
      })),
    ...(isMissing
      ? [
          {
            path: "mesh.charts.passwordSecret",
            value: passwordSecret,
            rule: "must be the name of one of secrets",
            fix: `Set it: pulumi config set --secret --path 'secrets.${passwordSecret}' (it asks for the value).`,
          },
        ]
      : []),
  ];
}
