import { readdirSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";

const folder = new URL("../../../.github/", import.meta.url);
const names = readdirSync(new URL("workflows/", folder));
const files = [...names.map((name) => `workflows/${name}`), "actions/setup/action.yml"];
const text = (file: string) => readFileSync(new URL(file, folder), "utf8");

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly environment?: string;
  readonly concurrency?: { readonly group: string; readonly "cancel-in-progress": boolean };
  readonly env?: unknown;
  readonly steps: readonly Step[];
}
interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string>>;
}
interface Workflow {
  readonly permissions: unknown;
  readonly env?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}
const workflow = (name: string) => load(text(`workflows/${name}`)) as Workflow;
const jobs = (name: string) => Object.values(workflow(name).jobs);

/** All values of `run`, at any depth. */
function scripts(of: unknown): string[] {
  if (typeof of !== "object" || of === null) return [];
  return Object.entries(of).flatMap(([key, value]) =>
    key === "run" && typeof value === "string" ? [value] : scripts(value),
  );
}

describe.each(files)("%s", (file) => {
  it("pins every action by commit, with its version beside it", () => {
    const uses = [...text(file).matchAll(/^.*\buses: (?!\.\/)(.*)$/gm)].map(([, action]) => action);
    expect(uses.length).toBeGreaterThan(0);
    for (const action of uses) {
      expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  it("puts no expression into a shell script, where its value would be code", () => {
    for (const script of scripts(load(text(file)))) expect(script).not.toContain("${{");
  });
});

it("no artifact is named after a stack, whose name may have a slash", () => {
  const artifacts = names.flatMap((name) =>
    jobs(name).flatMap(({ steps }) =>
      steps.filter(({ uses }) => uses?.startsWith("actions/upload-artifact@")),
    ),
  );
  expect(artifacts.length).toBeGreaterThan(0);
  for (const { with: { name = "", path = "" } = {} } of artifacts) {
    expect(`${name} ${path}`).not.toContain(".stack");
  }
});

it("every workflow has the same action in the same version", () => {
  const versions = files.flatMap(
    (file) => text(file).match(/[\w-]+\/[\w-]+@[0-9a-f]{40} #.*/g) ?? [],
  );
  const actions = new Set(versions.map((version) => version.split("@")[0]));
  expect(new Set(versions).size).toBe(actions.size);
});

describe.each(names)("%s", (name) => {
  it("gives its token nothing but what a job names, and limits each job's time", () => {
    expect(workflow(name).permissions).toEqual({});
    for (const job of jobs(name)) {
      expect(job.permissions).toBeDefined();
      expect(job["timeout-minutes"]).toBeGreaterThan(0);
    }
  });

  it("gives secrets to the step that needs them alone, and never beside a right to write", () => {
    expect(workflow(name).env).toBeUndefined();
    for (const job of jobs(name)) {
      expect(job.env).toBeUndefined();
      const withSecrets = job.steps.filter((step) => JSON.stringify(step).includes("secrets."));
      for (const step of withSecrets) {
        expect(
          step.uses === "./.github/actions/setup" || /pulumi|preview|release/.test(step.run ?? ""),
        ).toBe(true);
      }
      if (withSecrets.length > 0) expect(job.permissions).toEqual({ contents: "read" });
    }
  });

  it("leaves no token in the checkout", () => {
    for (const { uses, with: options } of jobs(name).flatMap(({ steps }) => steps)) {
      if (uses?.startsWith("actions/checkout@")) {
        expect(options).toMatchObject({ "persist-credentials": false });
      }
    }
  });
});

it.each([
  ["up.yml", "${{ matrix.stack }}"],
  ["rollout.yml", "${{ inputs.stack }}"],
])("%s waits for approval, one at a time for each stack, and is never cancelled", (name, stack) => {
  const [job] = jobs(name);
  expect(job?.environment).toBe(stack);
  expect(job?.concurrency).toEqual({
    // The same of both: an update must not meet a rollout half-way.
    group: `stack-${stack}`,
    "cancel-in-progress": false,
  });
});

it("what may write comments runs nothing of the pull request", () => {
  const { comment } = workflow("preview.yml").jobs;
  expect(comment?.permissions).toEqual({ "pull-requests": "write" });
  expect(comment?.steps.every(({ run, uses }) => !run && !uses?.includes("checkout"))).toBe(true);
});
