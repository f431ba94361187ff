import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** A folder in the cache, named after everything that its content depends on. */
export interface Artifact {
  /** What it is, as the first part of the folder's name. */
  readonly name: string;
  /** Hash of its inputs. */
  readonly key: string;
  /** Where it is, or will be. */
  readonly directory: string;
}

/**
 * Names the artifact made from `inputs`: any JSON value, in which text stands for itself and objects
 * are told apart by the order of their keys too. The same inputs always give the same folder.
 */
export function artifact(cacheDir: string, name: string, inputs: unknown): Artifact {
  const key = createHash("sha256")
    .update(JSON.stringify([name, inputs]))
    .digest("hex")
    .slice(0, 16);
  return { name, key, directory: join(cacheDir, `${name}-${key}`) };
}

export function isBuilt({ directory }: Artifact): boolean {
  return existsSync(directory);
}

/**
 * Makes an artifact unless it is there: `make` fills a temporary folder, which then gets the
 * artifact's name in one step. So an artifact is either complete or absent, whenever the process is
 * interrupted, and of two processes that make the same one the first to finish wins.
 */
export async function build(
  wanted: Artifact,
  make: (directory: string) => Promise<void>,
): Promise<void> {
  if (isBuilt(wanted)) return;
  const cacheDir = join(wanted.directory, "..");
  await mkdir(cacheDir, { recursive: true });
  await removeLeftovers(cacheDir);
  const temporary = join(cacheDir, `tmp-${process.pid}-${wanted.name}-${wanted.key}`);
  try {
    await mkdir(temporary);
    await make(temporary);
    await rename(temporary, wanted.directory).catch((error: unknown) => {
      if (!isBuilt(wanted)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Removes the temporary folders of processes that died before they could do it themselves. */
async function removeLeftovers(cacheDir: string): Promise<void> {
  for (const entry of readdirSync(cacheDir)) {
    const pid = /^tmp-(\d+)-/.exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(join(cacheDir, entry), { recursive: true, force: true });
    }
  }
}
