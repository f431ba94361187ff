// Writes what is generated from the schema of the configuration and from lib/rights.ts, and the dashboards. With --check it writes nothing, and
// fails if a file is not up to date.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { generatedFiles, outdated } from "./generated-files.ts";

const root = path.dirname(import.meta.dirname);
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

const files = await generatedFiles(root);
const old = await outdated(root, files);
if (values.check) {
  if (old.length > 0) {
    console.error(
      `${old.join(", ")}: not up to date with stacks/schema.ts, lib/rights.ts or scripts/dashboards.ts. Run: npm run generate`,
    );
    process.exitCode = 1;
  }
} else {
  for (const { file, content } of files.filter(({ file }) => old.includes(file))) {
    const target = path.join(root, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
    console.log(`wrote ${file}`);
  }
}
