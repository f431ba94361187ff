import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";

import { textTable } from "../../lib/table.ts";
import { mutants, type Mutant } from "./mutants.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** What the tests said: they failed, as they should, or not, or there was nothing to remove. */
type MutantResult = "killed" | "SURVIVED" | "NOT FOUND";

/** A copy of what git knows of the tree, changes included, with the installed packages. */
async function copyTree(): Promise<string> {
  const copy = await mkdtemp(path.join(tmpdir(), "mutation-"));
  const { stdout } = await execa(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard"],
    { cwd: root },
  );
  for (const file of stdout.split("\n")) {
    await cp(path.join(root, file), path.join(copy, file), { force: true });
  }
  await symlink(path.join(root, "node_modules"), path.join(copy, "node_modules"));
  return copy;
}

async function passes(copy: string, tests: readonly string[]): Promise<boolean> {
  const { exitCode } = await execa(
    "vitest",
    ["run", "--project", "unit", "--bail", "1", ...tests],
    { cwd: copy, reject: false, stdin: "ignore" },
  );
  return exitCode === 0;
}

async function judge(copy: string, mutant: Mutant): Promise<MutantResult> {
  const file = path.join(copy, mutant.file);
  const source = await readFile(file, "utf8");
  if (source.split(mutant.text).length !== 2) return "NOT FOUND";
  await writeFile(
    file,
    source.replace(mutant.text, () => mutant.replacement),
  );
  try {
    return (await passes(copy, mutant.tests)) ? "SURVIVED" : "killed";
  } finally {
    await writeFile(file, source);
  }
}

const copy = await copyTree();
try {
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))];
  if (!(await passes(copy, tests))) {
    throw new Error("the tests fail without any mutant: run make unit first");
  }
  const table = textTable(["removed", "in", "result"]);
  for (const mutant of mutants) {
    const result = await judge(copy, mutant);
    console.error(`${result}: ${mutant.removes}`);
    table.push([mutant.removes, mutant.file, result]);
    if (result !== "killed") process.exitCode = 1;
  }
  console.log(table.toString());
} finally {
  await rm(copy, { recursive: true });
}
