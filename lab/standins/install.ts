import {
  access,
  chmod,
  constants,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

/** Line by which a launcher of this project, from whichever checkout, is told from the official program. */
const MARK = "# Stand-in from the istio-canary lab";
const checkout = resolve(import.meta.dirname, "../..");
const require = createRequire(import.meta.url);

export interface StandInOptions {
  /** Folder that holds the real `pulumi` program itself (no symbolic link: pulumi looks beside the file it was started from). */
  readonly bin: string;
  /** The `PULUMI_HOME` in use. */
  readonly pulumiHome: string;
  /** `$PATH`, where official programs are looked for. @default that of this process */
  readonly path?: string | undefined;
  /** The user's own Pulumi folder, where official plugins are looked for. @default ~/.pulumi */
  readonly userPulumiHome?: string;
}

/** What is now used for a program that no package registry ships. */
export interface StandIn {
  readonly program: string;
  /** `official` if the machine has the official program: it is used, and the stand-in is not. */
  readonly kind: "stand-in" | "official" | "package";
  /** Where pulumi finds it. */
  readonly path: string;
  /** What stands behind that path. */
  readonly source: string;
}

/**
 * Installs the programs that Pulumi needs and no registry ships: a launcher of the stand-in, or a link to
 * the official program where this machine has it. Does the same again when called again.
 */
export async function installStandIns(options: StandInOptions): Promise<StandIn[]> {
  await mkdir(options.bin, { recursive: true });
  return [
    await languageHost(options),
    await dynamicProvider(options),
    await kubernetesProvider(options),
  ];
}

async function languageHost({ bin, path }: StandInOptions): Promise<StandIn> {
  const program = "pulumi-language-nodejs";
  const place = join(bin, program);
  const official = await findOfficial(program, path, bin);
  if (official !== undefined) return link(program, official, place);
  return launch(program, place, join(import.meta.dirname, "language-host/main.ts"));
}

/** The provider behind dynamic resources comes with the SDK; it only has to lie where pulumi looks. */
async function dynamicProvider({ bin }: StandInOptions): Promise<StandIn> {
  const program = "pulumi-resource-pulumi-nodejs";
  const source = join(dirname(require.resolve("@pulumi/pulumi/package.json")), program);
  const place = join(bin, program);
  await putInPlace(place, async (file) => {
    await copyFile(source, file);
    await chmod(file, 0o755);
  });
  return { program, kind: "package", path: place, source };
}

async function kubernetesProvider(options: StandInOptions): Promise<StandIn> {
  const program = "pulumi-resource-kubernetes";
  const { version } = require("@pulumi/kubernetes/package.json") as { version: string };
  // The SDK asks for exactly its own version.
  const plugin = `plugins/resource-kubernetes-v${version}`;
  const folder = join(options.pulumiHome, plugin);
  const place = join(folder, program);
  const cached = join(options.userPulumiHome ?? join(homedir(), ".pulumi"), plugin, program);
  const official =
    cached !== place && (await isOfficial(cached))
      ? cached
      : await findOfficial(program, options.path, options.bin);
  await mkdir(folder, { recursive: true });
  if (official !== undefined) return link(program, official, place);
  return launch(program, place, join(import.meta.dirname, "kubernetes-provider/main.ts"));
}

/** The official program on a search path, or undefined; `except` is the folder that stand-ins go to. */
async function findOfficial(
  program: string,
  path: string = process.env["PATH"] ?? "",
  except: string,
): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder === "" || resolve(folder) === resolve(except)) continue;
    const file = join(folder, program);
    if (await isOfficial(file)) return file;
  }
  return undefined;
}

async function isOfficial(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
  } catch {
    return false;
  }
  return !(await readFile(file, { encoding: "latin1" })).slice(0, 200).includes(MARK);
}

/** Makes a file and moves it to its place at once: pulumi may be running. */
async function putInPlace(place: string, make: (file: string) => Promise<void>): Promise<void> {
  const file = `${place}.${process.pid}`;
  await rm(file, { force: true });
  await make(file);
  await rename(file, place);
}

async function link(program: string, source: string, place: string): Promise<StandIn> {
  await putInPlace(place, async (file) => symlink(source, file));
  return { program, kind: "official", path: place, source };
}

async function launch(program: string, place: string, script: string): Promise<StandIn> {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const node = join(checkout, "node_modules/.bin/node");
  const text = `#!/bin/sh\n${MARK}: ${program}\nexec ${quote(node)} ${quote(script)} "$@"\n`;
  await putInPlace(place, async (file) => writeFile(file, text, { mode: 0o755 }));
  return { program, kind: "stand-in", path: place, source: script };
}
