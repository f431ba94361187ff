import { randomBytes } from "node:crypto";
import { copyFile, link, mkdir, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { labEnvironment, labPaths, labStack } from "./environment.ts";
import type { LabSettings } from "./settings.ts";
import { installStandIns, type StandIn } from "./standins/install.ts";
import { ensureStackConfig } from "./stack.ts";
import type { Toolchain } from "./toolchain/toolchain.ts";

/** What the lab makes in its folder for its programs and nodes; the passphrase is kept for the stack config. */
const removed = ["bin", "images", "pulumiHome", "state"] as const;

/**
 * Makes everything ready for the programs that work on the clusters: see lab/environment.ts.
 *
 * @returns what is used for the programs that no package registry ships
 */
export async function ensureWorkspace(
  settings: LabSettings,
  built: Toolchain,
): Promise<readonly StandIn[]> {
  const { bin, pulumiHome, state } = labPaths(settings);
  await linkPrograms(built.bin, bin);
  await mkdir(pulumiHome, { recursive: true });
  await mkdir(state, { recursive: true, mode: 0o700 });
  const standIns = await installStandIns({ bin, pulumiHome });
  const newPassphrase = await ensurePassphrase(settings);
  await ensureStackConfig(settings, built.charts, { newPassphrase });
  await execa("pulumi", ["stack", "select", "--create", labStack, "--non-interactive"], {
    cwd: settings.root,
    env: labEnvironment(settings),
    stdin: "ignore",
  });
  return standIns;
}

/** Removes what {@link ensureWorkspace} made: it is about clusters that are no more. */
export async function removeWorkspace(settings: LabSettings): Promise<void> {
  const paths = labPaths(settings);
  for (const name of removed) await rm(paths[name], { recursive: true, force: true });
  await rm(path.join(settings.dir, "compile-cache"), { recursive: true, force: true });
}

async function linkPrograms(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    const program = await realpath(path.join(from, name));
    const place = path.join(to, name);
    // Pulumi looks for its language hosts beside the file it was started from, links followed.
    if (name === "pulumi") await linkOrCopy(program, place);
    else await symlink(path.join(from, name), place);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // The cache lies on another file system, or may not be linked to.
    if (!["EXDEV", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await copyFile(from, to);
  }
}

/** @returns whether there was none */
async function ensurePassphrase(settings: LabSettings): Promise<boolean> {
  const text = `${randomBytes(32).toString("base64url")}\n`;
  try {
    await writeFile(labPaths(settings).passphrase, text, { mode: 0o600, flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
