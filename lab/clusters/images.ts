import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { readIfThere } from "../files.ts";
import type { Node } from "./node.ts";
import { containerdSocket } from "./node-programs.ts";

/** A docker-archive and the names of the image in it. */
export interface ImageArchive {
  readonly refs: readonly string[];
  readonly archive: string;
}

/**
 * Imports the images that the node does not have yet. What has been imported is noted in
 * containerd's own folder, so that the note goes away together with the images.
 */
export async function importImages(node: Node, images: readonly ImageArchive[]): Promise<void> {
  const noteFile = path.join(node.own.dir, "containerd", "lab-imported.json");
  const noted = new Set(JSON.parse((await readIfThere(noteFile)) ?? "[]") as string[]);
  for (const { refs, archive } of images) {
    const { size, mtimeMs } = await stat(archive);
    const identity = `${archive} ${size} ${mtimeMs} ${refs.join(" ")}`;
    if (noted.has(identity)) continue;
    try {
      const ctr = ["--address", containerdSocket, "--namespace", "k8s.io", "images", "import"];
      await node.run("ctr", ...ctr, archive);
    } catch (error) {
      throw new Error(`Cannot import image ${refs.join(", ")} into ${node.own.name}`, {
        cause: error,
      });
    }
    noted.add(identity);
    await writeFile(noteFile, JSON.stringify([...noted], null, 2));
  }
}
