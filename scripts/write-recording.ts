import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { load } from "js-yaml";
import * as z from "zod";
import { recordingOf } from "./recording.ts";

/**
 * Records a stack for the test of updates, under the version in package.json. It replaces what has been recorded for
 * that version and stack.
 *
 * @param root the checkout
 * @param stack its name, which the recording gets too
 * @param state what `pulumi stack export` has printed
 * @param configFile the stack's config file
 * @returns the recording's folder, in the checkout
 * @throws if the stack cannot be recorded
 */
export async function writeRecording(
  root: string,
  stack: string,
  state: unknown,
  configFile: string,
): Promise<string> {
  const { version } = z
    .looseObject({ version: z.string() })
    .parse(JSON.parse(await readFile(path.join(root, "package.json"), "utf8")));
  const recording = recordingOf(state, load(await readFile(configFile, "utf8")));
  const folder = path.join("test/unit/upgrade/stacks", version, stack);
  await mkdir(path.join(root, folder), { recursive: true });
  const write = (name: string, text: string) => writeFile(path.join(root, folder, name), text);
  await write("stack.json", `${JSON.stringify(recording, null, 2)}\n`);
  // Listed changes belong to the recording that they were found against.
  await write("changes.json", "[]\n");
  return folder;
}
