import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** A checksum of a chart on disk (archive or folder), or undefined if the chart is no local path. */
export async function chartChecksum(chart: string): Promise<string | undefined> {
  let folder: boolean;
  try {
    folder = (await stat(chart)).isDirectory();
  } catch {
    return undefined;
  }
  const hash = createHash("sha256");
  if (!folder) return hash.update(await readFile(chart)).digest("hex");
  const entries = await readdir(chart, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name)).sort()) {
    hash
      .update(path.slice(chart.length))
      .update("\0")
      .update(await readFile(path));
  }
  return hash.digest("hex");
}
