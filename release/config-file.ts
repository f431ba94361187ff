import { rmSync } from "node:fs";
import { mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { load } from "js-yaml";
import { onExit } from "signal-exit";
import * as z from "zod";
import { fromJson } from "../lib/from-json.ts";

const stackConfig = z.looseObject({ config: z.record(z.string(), z.unknown()).default({}) });

function configOf(text: string) {
  return stackConfig.parse(load(text) ?? {});
}

/** The number that a stack's config file has under a key; undefined if it has none there. */
export function numberIn(text: string, key: string): number | undefined {
  return z.coerce.number().safeParse(configOf(text).config[key] ?? undefined).data;
}

/**
 * A stack's config file with another number under a key; all else, comments too, stays as it is.
 *
 * @throws if the file is written in a way in which the key cannot be found
 */
export function withNumber(text: string, key: string, value: number): string {
  const before = configOf(text);
  const line = new RegExp(String.raw`^([ \t]+(["']?)${key}\2[ \t]*:[ \t]*)[^\s#]+`, "m");
  const changed = line.test(text)
    ? text.replace(line, `$1${value}`)
    : text.replace(/^config:[ \t]*(#.*)?$/m, `$&\n  ${key}: ${value}`);
  const wanted = { ...before, config: { ...before.config, [key]: value } };
  if (!isDeepStrictEqual(configOf(changed), wanted)) {
    throw new Error(
      `${key} cannot be set to ${value} in the config file: put it on its own line below config:`,
    );
  }
  return changed;
}

/**
 * The same with one more entry in the list under a key.
 *
 * @throws if the file is written in a way in which the list cannot be found
 */
export function withEntry(text: string, key: string, entry: string): string {
  const before = configOf(text);
  const value = before.config[key] ?? [];
  // `pulumi config set` without --path writes a list as text.
  const listed = z.array(z.string()).parse(typeof value === "string" ? fromJson(value) : value);
  if (listed.includes(entry)) return text;
  const list = [...listed, entry];
  // Its entries are deeper than the key, or begin with a dash beside it.
  const lines = new RegExp(String.raw`^([ \t]+)(["']?)${key}\2[ \t]*:.*(\n\1([ \t]|- ).*)*`, "m");
  const line = `${key}: ${JSON.stringify(list)}`;
  const changed = lines.test(text)
    ? text.replace(lines, `$1${line}`)
    : text.replace(/^config:[ \t]*(#.*)?$/m, `$&\n  ${line}`);
  const wanted = { ...before, config: { ...before.config, [key]: list } };
  if (!isDeepStrictEqual(configOf(changed), wanted)) {
    throw new Error(
      `${entry} cannot be added to ${key} in the config file: put the list on lines of its own below config:`,
    );
  }
  return changed;
}

/** Sets a number in a stack's config file. The file is the old or the new one at any moment. */
export async function setNumber(file: string, key: string, value: number): Promise<void> {
  const before = await readFile(file, "utf8");
  const text = withNumber(before, key, value);
  if (text !== before) await setText(file, text);
}

/** Gives a stack's config file another text. It is the old or the new one at any moment. */
export async function setText(file: string, text: string): Promise<void> {
  const target = await realpath(file);
  const next = `${target}.${process.pid}.tmp`;
  try {
    await writeFile(next, text, { mode: (await stat(target)).mode });
    await rename(next, target);
  } finally {
    await rm(next, { force: true });
  }
}

/**
 * Lets `use` work with a copy of a stack's config file that is edited. Only its owner can read the copy, and it is
 * removed afterwards, by an interrupt too. The file itself stays as it is.
 */
export async function withCopy<T>(
  file: string,
  edit: (text: string) => string,
  use: (copy: string) => Promise<T>,
): Promise<T> {
  const text = edit(await readFile(file, "utf8"));
  const dir = await mkdtemp(path.join(tmpdir(), "istio-canary-"));
  const leave = onExit(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  try {
    const copy = path.join(dir, path.basename(file));
    await writeFile(copy, text, { mode: 0o600 });
    return await use(copy);
  } finally {
    leave();
    await rm(dir, { recursive: true, force: true });
  }
}
