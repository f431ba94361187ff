import { writeFile } from "node:fs/promises";
import path from "node:path";

import { dump, load } from "js-yaml";

import { readIfThere } from "./files.ts";
import type { LabSettings } from "./settings.ts";

/** The config file of a stack, as the Pulumi CLI keeps it. */
export function stackFile({ root }: LabSettings, stack: string): string {
  return path.join(root, `Pulumi.${stack}.yaml`);
}

async function read(file: string): Promise<{ config?: Readonly<Record<string, unknown>> }> {
  return load((await readIfThere(file)) ?? "{}") ?? {};
}

/** The value of one of the program's keys in a stack's config file; undefined if it is not there. */
export async function stackKey(file: string, key: string): Promise<unknown> {
  return (await read(file)).config?.[`istio-canary:${key}`];
}

/** The values of all of the program's keys in a stack's config file. */
export async function stackKeys(file: string): Promise<Readonly<Record<string, unknown>>> {
  const { config = {} } = await read(file);
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace(/^istio-canary:/, ""), value]),
  );
}

/** Sets keys of the program in a stack's config file, all else stays. */
export async function setStackKeys(
  file: string,
  keys: Readonly<Record<string, unknown>>,
): Promise<void> {
  const stack = await read(file);
  const named = Object.entries(keys).map(([key, value]) => [`istio-canary:${key}`, value] as const);
  const config = { ...stack.config, ...Object.fromEntries(named) };
  await writeFile(file, dump({ ...stack, config }, { lineWidth: -1, noRefs: true }));
}
