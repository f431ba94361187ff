import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installStandIns, type StandIn } from "../../standins/install.ts";

const PLUGIN = "plugins/resource-kubernetes-v4.34.2";
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stand-ins-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

async function install(path = ""): Promise<Record<string, StandIn>> {
  const standIns = await installStandIns({
    bin: join(folder, "bin"),
    pulumiHome: join(folder, "home"),
    path,
    userPulumiHome: join(folder, "user"),
  });
  return Object.fromEntries(standIns.map((standIn) => [standIn.program, standIn]));
}

async function official(...path: string[]): Promise<string> {
  const file = join(folder, ...path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "#!/bin/sh\necho official\n", { mode: 0o755 });
  return file;
}

test("stand-ins are placed where pulumi looks, and start", async () => {
  const standIns = await install();
  expect(standIns["pulumi-language-nodejs"]).toMatchObject({
    kind: "stand-in",
    path: join(folder, "bin/pulumi-language-nodejs"),
  });
  expect(standIns["pulumi-resource-kubernetes"]).toMatchObject({
    kind: "stand-in",
    path: join(folder, "home", PLUGIN, "pulumi-resource-kubernetes"),
  });
  const host = standIns["pulumi-language-nodejs"]?.path ?? "";
  const { stdout } = await promisify(execFile)(host, ["--version"]);
  expect(stdout.trim()).toBe("3.259.0");
});

test("the provider behind dynamic resources is the one of the SDK", async () => {
  const { "pulumi-resource-pulumi-nodejs": dynamic } = await install();
  expect(dynamic?.kind).toBe("package");
  expect(await readFile(dynamic?.path ?? "", "utf8")).toContain("cmd/dynamic-provider");
});

test("official programs on PATH are used instead", async () => {
  const host = await official("usr/bin/pulumi-language-nodejs");
  const provider = await official("usr/bin/pulumi-resource-kubernetes");
  const standIns = await install(join(folder, "usr/bin"));
  expect(standIns["pulumi-language-nodejs"]).toMatchObject({ kind: "official", source: host });
  expect(standIns["pulumi-resource-kubernetes"]).toMatchObject({
    kind: "official",
    source: provider,
  });
  expect(await readlink(join(folder, "bin/pulumi-language-nodejs"))).toBe(host);
});

test("an official provider in the user's plugin cache goes before one on PATH", async () => {
  const cached = await official("user", PLUGIN, "pulumi-resource-kubernetes");
  await official("usr/bin/pulumi-resource-kubernetes");
  const standIns = await install(join(folder, "usr/bin"));
  expect(standIns["pulumi-resource-kubernetes"]).toMatchObject({
    kind: "official",
    source: cached,
  });
});

test("a stand-in on PATH, of this checkout or another one, is not taken for the official program", async () => {
  await install();
  await mkdir(join(folder, "other"));
  await writeFile(
    join(folder, "other/pulumi-language-nodejs"),
    await readFile(join(folder, "bin/pulumi-language-nodejs")),
    { mode: 0o755 },
  );
  const standIns = await install(`${join(folder, "bin")}:${join(folder, "other")}`);
  expect(standIns["pulumi-language-nodejs"]?.kind).toBe("stand-in");
});

test("what was official and has gone is replaced by the stand-in, and back", async () => {
  const host = await official("usr/bin/pulumi-language-nodejs");
  const kind = async () => (await install(join(folder, "usr/bin")))["pulumi-language-nodejs"]?.kind;
  expect(await kind()).toBe("official");
  await rm(host);
  expect(await kind()).toBe("stand-in");
  await official("usr/bin/pulumi-language-nodejs");
  expect(await kind()).toBe("official");
  expect(await readFile(host, "utf8")).toContain("echo official");
});
