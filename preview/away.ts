import { readFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { load } from "js-yaml";
import * as z from "zod";
import { fromJson } from "../lib/from-json.ts";
import { NO_PULUMI } from "../lib/no-pulumi.ts";
import { schema } from "../stacks/schema.ts";
import { namesOf } from "../stacks/schema/away.ts";

/** The project's file, in the folder in which the program is. */
const PROJECT = path.join(import.meta.dirname, "..", "Pulumi.yaml");

const project = z.looseObject({ name: z.string() });
const config = z.record(z.string(), z.looseObject({ value: z.string().optional() }));

/**
 * The clusters that a stack's config says are away, whose resources its preview leaves out; none where the key is
 * wrong: the preview itself tells.
 *
 * @param unread what becomes of Pulumi's own words where it cannot read the config
 * @throws if there is no Pulumi CLI
 */
export async function awayIn(
  stack: string,
  unread: (why: string) => void,
): Promise<readonly string[]> {
  const { stdout, stderr, exitCode, code } = await execa(
    "pulumi",
    ["config", "--json", "--non-interactive", "--stack", stack],
    { stdin: "ignore", reject: false },
  );
  if (code === "ENOENT") throw new Error(NO_PULUMI);
  if (exitCode !== 0) unread(stderr);
  const { data = {} } = config.safeParse(stdout === "" ? {} : fromJson(stdout));
  const { name } = project.parse(load(await readFile(PROJECT, "utf8")));
  const value = data[`${name}:away`]?.value;
  return namesOf(
    schema.away.safeParse(value === undefined ? undefined : fromJson(value)).data ?? [],
  );
}
