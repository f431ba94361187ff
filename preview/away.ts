import { execa } from "execa";
import * as z from "zod";
import { fromJson } from "../lib/from-json.ts";
import { schema } from "../stacks/schema.ts";
import { namesOf } from "../stacks/schema/away.ts";

const config = z.record(z.string(), z.looseObject({ value: z.string().optional() }));

/**
 * The clusters that a stack's config says are away, whose resources its preview leaves out.
 *
 * @returns none where the config cannot be read, or the key is wrong: the preview itself tells
 */
export async function awayIn(stack: string): Promise<readonly string[]> {
  const { stdout } = await execa(
    "pulumi",
    ["config", "--json", "--non-interactive", "--stack", stack],
    { stdin: "ignore", reject: false },
  );
  const { data = {} } = config.safeParse(stdout === "" ? {} : fromJson(stdout));
  const value = data["istio-canary:away"]?.value;
  return namesOf(
    schema.away.safeParse(value === undefined ? undefined : fromJson(value)).data ?? [],
  );
}
