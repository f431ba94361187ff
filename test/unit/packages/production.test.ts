import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

// Nothing of what is compiled is cached: seconds of work, and a minute on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

const root = path.resolve(import.meta.dirname, "../../..");
const own = ["components", "fleet", "lib", "monitoring", "preview", "release", "stacks"];

let checkout: string;
beforeAll(async () => {
  checkout = await mkdtemp(path.join(tmpdir(), "production-"));
  for (const file of ["index.ts", "package.json", ...own]) {
    await cp(path.join(root, file), path.join(checkout, file), { recursive: true });
  }
  for (const name of await productionPackages()) {
    await mkdir(path.dirname(path.join(checkout, name)), { recursive: true });
    await symlink(path.join(root, name), path.join(checkout, name));
  }
});
afterAll(async () => {
  await rm(checkout, { recursive: true });
});

/** What `npm ci --omit=dev` installs, without what lies within other packages: `node_modules/zod`, … */
async function productionPackages(): Promise<string[]> {
  const lock = JSON.parse(await readFile(path.join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([name, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(name) && dev !== true)
    .map(([name]) => name);
}

/** Runs a program of that checkout. */
const run = (file: string, ...args: readonly string[]) =>
  execa(file, args, {
    cwd: checkout,
    env: {
      PATH: `${path.dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
      // Otherwise a linked package would find all packages of this checkout beside it.
      NODE_OPTIONS: "--preserve-symlinks",
      NODE_DISABLE_COMPILE_CACHE: "1",
    },
    stdin: "ignore",
    reject: false,
  });

it.each(["release", "preview"])("the command %s starts without dev dependencies", async (name) => {
  const { stdout, stderr, exitCode } = await run("npm", "run", "--silent", name, "--", "--help");
  expect(stderr).toBe("");
  expect(stdout).toMatch(new RegExp(`^Usage: ${name} `));
  expect(exitCode).toBe(0);
});

it("the program is loaded without dev dependencies, and asks for its configuration", async () => {
  const { stderr } = await run("node", "index.ts");
  expect(stderr).toContain("The configuration of stack stack has 2 problems");
});

it("a certificate is issued without dev dependencies, which are looked up by name", async () => {
  const { stdout, stderr } = await run(
    "node",
    "--input-type=module",
    "--eval",
    `import { issueCertificate } from "./lib/issue-certificate.ts";
     const request = { commonName: "Root", organization: "mesh", days: 1, pathLength: 1 };
     console.log((await issueCertificate(request)).certificate);`,
  );
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
});
