import { existsSync } from "node:fs";
import { allOf } from "../lib/enumerate.ts";
import type { Problem } from "../lib/problems.ts";
import { versionsOf } from "../lib/revisions.ts";
import type { Mesh } from "./schema.ts";

/**
 * What is wrong with where Istio's charts come from.
 *
 * @param secrets by name. @default they are not valid by themselves
 */
export function chartProblems(
  { charts, cni, istioVersion = "", revisions }: Mesh,
  secrets: Readonly<Record<string, string>> | undefined,
): Problem[] {
  const { directory, passwordSecret } = charts;
  const versions = versionsOf({ istioVersion, revisions });
  const isMissing =
    passwordSecret !== undefined && secrets && !Object.hasOwn(secrets, passwordSecret);
  return [
    ...["base", "istiod", "gateway", ...(cni === "installed" ? ["cni"] : [])]
      .flatMap((chart) => versions.map((version) => `${directory ?? ""}/${chart}-${version}.tgz`))
      .filter((file) => directory !== undefined && !existsSync(file))
      .map((file) => ({
        path: "mesh.charts.directory",
        value: directory,
        rule: `must hold ${file}`,
        fix: "Put the packaged chart there, or use mesh.charts.repository.",
      })),
    ...(charts.digests !== undefined && versions.length > 1
      ? [
          {
            path: "mesh.charts.digests",
            value: charts.digests,
            rule: `must be left out while mesh.revisions has the versions ${allOf(versions)}: a digest is that of one version's chart`,
            fix: "Remove digests until one version is left.",
          },
        ]
      : []),
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
