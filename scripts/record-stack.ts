// Records a stack for the test of updates, from what `pulumi stack export` has written and the stack's config file:
//   npm run record-stack -- <export.json> <Pulumi.stack.yaml>
// The recording is named after the version in package.json.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { load } from "js-yaml";
import * as z from "zod";
import { recordingOf } from "./recording.ts";

const root = path.dirname(import.meta.dirname);

async function recordStack(stateFile: string, configFile: string): Promise<void> {
  const { version } = z
    .looseObject({ version: z.string() })
    .parse(JSON.parse(await readFile(path.join(root, "package.json"), "utf8")));
  const recording = recordingOf(
    JSON.parse(await readFile(stateFile, "utf8")),
    load(await readFile(configFile, "utf8")),
  );
  const folder = path.join(root, "test/unit/upgrade/stacks", version);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "stack.json"), `${JSON.stringify(recording, null, 2)}\n`);
  // Listed changes belong to the recording that they were found against.
  await writeFile(path.join(folder, "changes.json"), "[]\n");
  console.log(`wrote ${path.relative(root, folder)}: ${recording.resources.length} resources`);
}

const [stateFile, configFile] = process.argv.slice(2);
if (stateFile === undefined || configFile === undefined) {
  console.error("Usage: npm run record-stack -- <export.json> <Pulumi.stack.yaml>");
  process.exitCode = 1;
} else {
  await recordStack(stateFile, configFile);
}
