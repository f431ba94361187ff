import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeArchive, type Layer } from "../../toolchain/image.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "image-test-"));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

interface Entry {
  readonly header: Header;
  readonly body: Buffer;
}

async function untar(tar: Readable): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of tar.pipe(extract())) {
    const body = await buffer(entry);
    expect(entries.has(entry.header.name)).toBe(false);
    entries.set(entry.header.name, { header: entry.header, body });
  }
  return entries;
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** What an archive's manifest.json and the configurations it names are read as. */
interface Manifest {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}
interface Config {
  readonly architecture: string;
  readonly os: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
}

async function archiveOfTwo() {
  const base = join(scratch, "root.tar");
  writeFileSync(base, Buffer.alloc(1024));
  const program = join(scratch, "program");
  writeFileSync(program, "#!/bin/true\n");
  const shared: Layer = { tar: base };
  const file = join(scratch, "images.tar");
  await writeArchive(
    file,
    [
      { refs: ["docker.io/lab/client:1"], layers: [shared], cmd: ["sleep", "infinity"] },
      {
        refs: ["docker.io/lab/service:v1", "docker.io/lab/service:v2"],
        layers: [shared, { files: [{ source: program, path: "usr/local/bin/program" }] }],
        entrypoint: ["/usr/local/bin/program"],
        user: "1:2",
        env: ["A=b"],
      },
    ],
    scratch,
  );
  const entries = await untar(createReadStream(file));
  const json = (name: string): unknown => JSON.parse(String(entries.get(name)?.body));
  const manifest = json("manifest.json") as Manifest[];
  return { entries, manifest, configs: manifest.map(({ Config }) => json(Config) as Config) };
}

test("names every image, its configuration and its layers in the manifest", async () => {
  const { entries, manifest } = await archiveOfTwo();
  expect(manifest.map(({ RepoTags }) => RepoTags)).toEqual([
    ["docker.io/lab/client:1"],
    ["docker.io/lab/service:v1", "docker.io/lab/service:v2"],
  ]);
  for (const { Config, Layers } of manifest) {
    expect(Config).toBe(`${sha256(entries.get(Config)?.body ?? Buffer.alloc(0))}.json`);
    for (const layer of Layers) expect(entries.has(layer)).toBe(true);
  }
});

test("identifies each layer by the hash of its tar file", async () => {
  const { entries, manifest, configs } = await archiveOfTwo();
  for (const [index, { Layers }] of manifest.entries()) {
    expect(configs[index]?.rootfs).toEqual({
      type: "layers",
      diff_ids: Layers.map(
        (layer) => `sha256:${sha256(entries.get(layer)?.body ?? Buffer.alloc(0))}`,
      ),
    });
  }
});

test("stores a shared layer once", async () => {
  const { entries, manifest } = await archiveOfTwo();
  expect(manifest[1]?.Layers[0]).toBe(manifest[0]?.Layers[0]);
  expect([...entries.keys()].filter((name) => name.endsWith("layer.tar"))).toHaveLength(2);
});

test("says how the image is run", async () => {
  const { configs } = await archiveOfTwo();
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  expect(configs[0]?.config).toEqual({ Env: [path], WorkingDir: "/", Cmd: ["sleep", "infinity"] });
  expect(configs[1]?.config).toEqual({
    Env: [path, "A=b"],
    WorkingDir: "/",
    User: "1:2",
    Entrypoint: ["/usr/local/bin/program"],
  });
  expect(configs[1]).toMatchObject({ architecture: "amd64", os: "linux" });
});

test("puts files with their folders and permissions into a layer", async () => {
  const { entries, manifest } = await archiveOfTwo();
  const layer = entries.get(manifest[1]?.Layers[1] ?? "")?.body ?? Buffer.alloc(0);
  const files = await untar(Readable.from([layer]));
  expect([...files.keys()]).toEqual([
    "usr/",
    "usr/local/",
    "usr/local/bin/",
    "usr/local/bin/program",
  ]);
  expect(files.get("usr/local/bin/program")?.header.mode).toBe(0o755);
  expect(String(files.get("usr/local/bin/program")?.body)).toBe("#!/bin/true\n");
});

test("a file that is not there is an error, not an empty layer", async () => {
  const missing: Layer = { files: [{ source: join(scratch, "nothing"), path: "x" }] };
  const written = writeArchive(
    join(scratch, "images.tar"),
    [{ refs: ["docker.io/lab/x:1"], layers: [missing] }],
    scratch,
  );
  await expect(written).rejects.toThrow("ENOENT");
});
