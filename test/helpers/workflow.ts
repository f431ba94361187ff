import { existsSync } from "node:fs";
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { load } from "js-yaml";

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly if?: string | boolean;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly if?: string;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** What stands for GitHub when a job runs here. */
export interface Runner {
  /** The repository that a checkout clones. */
  readonly origin: string;
  /** A folder for checkouts and artifacts; nothing else is in it. */
  readonly folder: string;
  /** The packages that the set-up would install. */
  readonly nodeModules: string;
  /** Of every step, beside its own. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a job has ended. */
export interface JobRun {
  readonly outputs: Readonly<Record<string, string>>;
  readonly failed: boolean;
  /** What its steps have printed. */
  readonly log: string;
  readonly checkout: string;
}

/** The value of an expression, by its text. */
export type Values = Readonly<Record<string, string | boolean>>;

const EXPRESSION = /\$\{\{\s*(.*?)\s*\}\}/g;

/**
 * Runs a job of a workflow of this repository, step by step: each `run` is the very script, in the shell that GitHub takes. Of the
 * actions, those that these workflows use are stood in for.
 *
 * @param values of all expressions in the job; one that is missing fails it
 */
export async function runJob(
  runner: Runner,
  workflow: string,
  name: string,
  values: Values,
): Promise<JobRun> {
  const { folder, env } = runner;
  await mkdir(folder, { recursive: true });
  const checkout = path.join(folder, `${name}-${crypto.randomUUID().slice(0, 8)}`);
  const outputs: Record<string, string> = {};
  let failed = false;
  const logs: string[] = [];

  const valueOf = (expression: string): string | boolean => {
    if (expression === "!cancelled()") return true;
    if (expression === "failure()") return failed;
    const step = /^steps\.(.*)$/.exec(expression)?.[1];
    if (step !== undefined) return outputs[step] ?? "";
    const value = values[expression];
    if (value === undefined) throw new Error(`${workflow} has the expression ${expression}`);
    return value;
  };
  const filled = (text: string) =>
    text.replaceAll(EXPRESSION, (_, expression: string) => String(valueOf(expression)));
  const holds = (condition: string | boolean | undefined) => {
    if (condition === undefined) return !failed;
    const expression = String(condition).replaceAll(EXPRESSION, "$1");
    // Only a condition on how the job goes runs a step after one that has failed.
    return Boolean(valueOf(expression)) && (!failed || /cancelled|failure/.test(expression));
  };

  const perform = async ({ id, uses = "", with: options = {}, run, env: own = {} }: Step) => {
    const option = (key: string) => filled(String(options[key] ?? ""));
    const artifact = path.join(folder, "artifacts", option("name"));
    if (uses.startsWith("actions/checkout@")) {
      const depth = options["fetch-depth"] === 0 ? [] : ["--depth", "1"];
      await execa("git", ["clone", "--quiet", ...depth, `file://${runner.origin}`, checkout]);
    } else if (uses === "./.github/actions/setup") {
      await symlink(runner.nodeModules, path.join(checkout, "node_modules"));
    } else if (uses.startsWith("actions/upload-artifact@")) {
      await mkdir(artifact, { recursive: true });
      const files = option("path").split("\n").filter(Boolean);
      // What is not there is left out, with a warning.
      for (const file of files.filter((each) => existsSync(path.join(checkout, each)))) {
        await cp(path.join(checkout, file), path.join(artifact, file));
      }
    } else if (uses.startsWith("actions/download-artifact@")) {
      await cp(artifact, checkout, { recursive: true });
    } else if (run === undefined) {
      throw new Error(`${workflow} uses ${uses}, which nothing stands in for`);
    } else {
      const file = `${checkout}.output`;
      const script = `${checkout}.sh`;
      await writeFile(file, "");
      await writeFile(script, run);
      const result = await execa("bash", ["-e", script], {
        cwd: checkout,
        env: {
          ...env,
          ...{
            GITHUB_OUTPUT: file,
            GITHUB_STEP_SUMMARY: `${checkout}.md`,
            GITHUB_REF_NAME: "main",
          },
          ...Object.fromEntries(Object.entries(own).map(([key, value]) => [key, filled(value)])),
        },
        ...{ all: true, reject: false, stdin: "ignore" },
      });
      logs.push(result.all);
      for (const line of (await readFile(file, "utf8")).split("\n").filter(Boolean)) {
        const at = line.indexOf("=");
        outputs[`${id ?? ""}.outputs.${line.slice(0, at)}`] = line.slice(at + 1);
      }
      if (result.exitCode !== 0) failed = true;
    }
  };

  const { jobs } = load(
    await readFile(new URL(`../../.github/workflows/${workflow}`, import.meta.url), "utf8"),
  ) as { readonly jobs: Readonly<Record<string, Job>> };
  const job = jobs[name];
  if (!job) throw new Error(`${workflow} has no job ${name}`);
  for (const step of job.steps) if (holds(step.if)) await perform(step);
  return {
    outputs: Object.fromEntries(
      Object.entries(job.outputs ?? {}).map(([key, value]) => [key, filled(value)]),
    ),
    ...{ failed, log: logs.join("\n"), checkout },
  };
}
