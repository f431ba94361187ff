import { readFile } from "node:fs/promises";
import path from "node:path";
import { format, resolveConfig } from "prettier";
import { configurationPage } from "./configuration-page.ts";
import { dashboardFiles } from "./dashboards.ts";
import { permissionsPage } from "./permissions-page.ts";
import { pulumiYaml } from "./pulumi-yaml.ts";
import { stackSchema } from "./stack-schema.ts";

/** A generated file and its content. */
export interface GeneratedFile {
  /** Path from the root of the project. */
  readonly file: string;
  readonly content: string;
}

/** Everything that is generated: from the schema of the configuration, from lib/rights.ts, and dashboards. Formatted like the rest. */
export async function generatedFiles(root: string): Promise<readonly GeneratedFile[]> {
  const contents = {
    "Pulumi.yaml": pulumiYaml(await readFile(path.join(root, "Pulumi.yaml"), "utf8")),
    "schema/stack.schema.json": JSON.stringify(stackSchema()),
    "docs/configuration.md": configurationPage(),
    "docs/permissions.md": permissionsPage(
      await readFile(path.join(root, "docs/permissions.md"), "utf8"),
    ),
    ...Object.fromEntries(
      Object.entries(dashboardFiles()).map(([name, dashboard]) => [
        `monitoring/dashboards/${name}.json`,
        JSON.stringify(dashboard),
      ]),
    ),
  };
  return Promise.all(
    Object.entries(contents).map(async ([file, content]) => {
      const filepath = path.join(root, file);
      return {
        file,
        content: await format(content, { ...(await resolveConfig(filepath)), filepath }),
      };
    }),
  );
}

/** Which of the files are out of date. */
export async function outdated(
  root: string,
  files: readonly GeneratedFile[],
): Promise<readonly string[]> {
  const states = await Promise.all(
    files.map(async ({ file, content }) => {
      const found = await readFile(path.join(root, file), "utf8").catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      });
      return found === content ? [] : [file];
    }),
  );
  return states.flat();
}
