import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { pack, type Header, type Pack } from "tar-stream";

/** A file of a layer: where it comes from, and its path in the image without the leading slash. */
export interface LayerFile {
  readonly source: string;
  readonly path: string;
  /** Permissions. @default 0o755 */
  readonly mode?: number;
}

/** A layer: a tar file as it is, or files put into one. */
export type Layer = { readonly tar: string } | { readonly files: readonly LayerFile[] };

/** A container image. */
export interface Image {
  /** Full names, as in `docker.io/lab/client:1`. */
  readonly refs: readonly string[];
  /** From the bottom up. Layers that are the same object are stored once. */
  readonly layers: readonly Layer[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** User and group, as in `1337:1337`. @default root */
  readonly user?: string;
  readonly env?: readonly string[];
  /** Folder in which it is run. @default the root */
  readonly workdir?: string;
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The same bytes whenever they are packed. */
const EPOCH = new Date(0);

/**
 * Writes images as one docker-archive, which `ctr images import` and `docker load` read.
 *
 * @param scratch folder for the layers while they are measured; the caller removes it
 */
export async function writeArchive(
  file: string,
  images: readonly Image[],
  scratch: string,
): Promise<void> {
  const layers = new Map<Layer, { readonly tar: string; readonly diffId: string }>();
  for (const layer of images.flatMap((image) => image.layers)) {
    if (layers.has(layer)) continue;
    const tar = "tar" in layer ? layer.tar : join(scratch, `layer-${layers.size}.tar`);
    if ("files" in layer) await writeLayer(tar, layer.files);
    layers.set(layer, { tar, diffId: await sha256(tar) });
  }
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file));
  const filled = fillArchive(archive, images, layers);
  // Both: a disk that is full fails the writing while the filling waits for it.
  await Promise.all([written, filled]);
}

async function fillArchive(
  archive: Pack,
  images: readonly Image[],
  layers: ReadonlyMap<Layer, { readonly tar: string; readonly diffId: string }>,
): Promise<void> {
  const paths = new Map<string, string>();
  for (const { tar, diffId } of layers.values()) {
    if (paths.has(diffId)) continue;
    paths.set(diffId, `${diffId}/layer.tar`);
    await addFile(archive, { name: `${diffId}/layer.tar`, mode: 0o644 }, tar);
  }
  const manifest = images.map((image) => {
    const diffIds = image.layers.map((layer) => layers.get(layer)?.diffId ?? "");
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {
        Env: [PATH, ...(image.env ?? [])],
        WorkingDir: image.workdir ?? "/",
        ...(image.user !== undefined && { User: image.user }),
        ...(image.entrypoint && { Entrypoint: image.entrypoint }),
        ...(image.cmd && { Cmd: image.cmd }),
      },
      rootfs: { type: "layers", diff_ids: diffIds.map((diffId) => `sha256:${diffId}`) },
    });
    const name = `${createHash("sha256").update(config).digest("hex")}.json`;
    archive.entry({ name, mode: 0o644, mtime: EPOCH }, config);
    return { Config: name, RepoTags: image.refs, Layers: diffIds.map((id) => paths.get(id)) };
  });
  archive.entry({ name: "manifest.json", mode: 0o644, mtime: EPOCH }, JSON.stringify(manifest));
  archive.finalize();
}

/** Writes a layer with files, for images that are made more often than the layer changes. */
export async function writeLayer(tar: string, files: readonly LayerFile[]): Promise<void> {
  const layer = pack();
  const written = pipeline(layer, createWriteStream(tar));
  const filled = (async () => {
    const folders = new Set(files.flatMap(({ path }) => parents(path)));
    for (const name of [...folders].sort()) {
      layer.entry({ name: `${name}/`, type: "directory", mode: 0o755, mtime: EPOCH });
    }
    for (const { source, path, mode = 0o755 } of files) {
      await addFile(layer, { name: path, mode }, source);
    }
    layer.finalize();
  })();
  await Promise.all([written, filled]);
}

async function addFile(
  archive: Pack,
  header: Pick<Header, "name" | "mode">,
  source: string,
): Promise<void> {
  const { size } = await stat(source);
  await pipeline(createReadStream(source), archive.entry({ ...header, mtime: EPOCH, size }));
}

/** `a/b/c` → `a`, `a/b` */
function parents(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join("/"));
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
