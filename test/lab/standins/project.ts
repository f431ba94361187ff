import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { killProcesses, processesOf, UPDATE_VARIABLE } from "../update-processes.ts";
import { target } from "./target.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const { context, kubeconfig } = target;

/** Programs begin with this: `provider` is the cluster, `meta(name)` names an object in the test's namespace. */
const PREAMBLE = `
import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
const config = new pulumi.Config();
const provider = new k8s.Provider("provider", {
  kubeconfig: process.env["KUBECONFIG"] ?? "",
  context: ${JSON.stringify(context)},
});
const namespace = new k8s.core.v1.Namespace(
  "namespace",
  { metadata: { name: config.require("namespace") } },
  { provider },
);
const meta = (name: string) => ({ name, namespace: namespace.metadata.name });
`;

const previewSteps = z.object({
  steps: z
    .array(
      z.object({
        op: z.string(),
        urn: z.string(),
        detailedDiff: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .default([]),
});

export interface Result {
  readonly ok: boolean;
  /** Standard output and standard error. */
  readonly text: string;
  readonly seconds: number;
}

/** A small Pulumi project with a backend, a stack and a namespace of its own. */
export class Project {
  readonly namespace: string;
  readonly #folder: string;
  readonly #env: Record<string, string>;

  private constructor(folder: string, more: readonly string[]) {
    this.#folder = folder;
    this.namespace = `standins-${randomBytes(4).toString("hex")}`;
    const own = target.environment(folder);
    this.#env = {
      ...own,
      PATH: [own["PATH"] ?? "", ...more].join(path.delimiter),
      KUBECONFIG: kubeconfig,
      [UPDATE_VARIABLE]: this.namespace,
      PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: path.join(folder, "passphrase"),
    };
  }

  /** @param more folders on the PATH, after the lab's own. @default none */
  static async create(...more: readonly string[]): Promise<Project> {
    const project = new Project(await mkdtemp(path.join(tmpdir(), "standins-")), more);
    const folder = project.#folder;
    await mkdir(path.join(folder, "state"));
    await writeFile(path.join(folder, "passphrase"), "test", { mode: 0o600 });
    await writeFile(path.join(folder, "package.json"), '{"type": "module"}');
    await writeFile(
      path.join(folder, "Pulumi.yaml"),
      "name: standins\nmain: index.ts\nruntime: {name: nodejs, options: {typescript: false}}\n",
    );
    await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    await target.prepare(folder);
    await project.must("stack", "init");
    await project.config("namespace", project.namespace);
    return project;
  }

  /** Sets the program; what every program begins with is put before it. */
  async program(text: string): Promise<void> {
    await writeFile(path.join(this.#folder, "index.ts"), PREAMBLE + text);
  }

  async config(key: string, value: string): Promise<void> {
    await this.must("config", "set", key, value);
  }

  async pulumi(...args: string[]): Promise<Result> {
    const { failed, all, durationMs } = await this.start(...args);
    return { ok: !failed, text: all, seconds: durationMs / 1000 };
  }

  /** Starts pulumi and leaves it running. */
  start(...args: string[]) {
    return execa("pulumi", [...args, "--stack", "test", "--non-interactive", "--color", "never"], {
      cwd: this.#folder,
      env: this.#env,
      stdin: "ignore",
      reject: false,
      all: true,
    });
  }

  /** Sets a variable in the environment of the project's commands. */
  set(variable: string, value: string): void {
    this.#env[variable] = value;
  }

  /** Kills everything that the project's commands have started, and takes away the lock that it leaves. */
  async kill(): Promise<void> {
    killProcesses(await processesOf(this.namespace));
    await this.must("cancel", "--yes");
  }

  /** A command that has to succeed. */
  async must(...args: string[]): Promise<string> {
    const { ok, text } = await this.pulumi(...args);
    if (!ok) throw new Error(`pulumi ${args.join(" ")} failed:\n${text}`);
    return text;
  }

  async up(): Promise<string> {
    return this.must("up", "--yes", "--skip-preview");
  }

  /** What a preview would do, as `operation name` and the changed paths; what stays the same is left out. */
  async preview(): Promise<Record<string, string[]>> {
    const { stdout, stderr, failed } = await this.start("preview", "--json");
    if (failed) throw new Error(`pulumi preview failed:\n${stdout}\n${stderr}`);
    const { steps } = previewSteps.parse(JSON.parse(stdout));
    return Object.fromEntries(
      steps
        .filter(({ op }) => op !== "same")
        .map(({ op, urn, detailedDiff }) => [
          `${op} ${urn.split("::").at(-1) ?? ""}`,
          Object.keys(detailedDiff ?? {}),
        ]),
    );
  }

  /** Everything the backend has written: state, history and backups. */
  async stored(): Promise<string> {
    const folder = path.join(this.#folder, "state");
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const texts = files.map(async (file) =>
      readFile(path.join(file.parentPath, file.name), "utf8"),
    );
    return (await Promise.all(texts)).join("\n");
  }

  async output(name: string): Promise<unknown> {
    const { stdout } = await this.start("stack", "output", "--json", "--show-secrets");
    return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))[name];
  }

  /** The URN of a resource, by its name. */
  async urn(name: string): Promise<string> {
    const { stdout } = await this.start("stack", "export");
    const state = z.object({
      deployment: z.object({ resources: z.array(z.looseObject({ urn: z.string() })) }),
    });
    const { resources } = state.parse(JSON.parse(stdout)).deployment;
    const found = resources.find(({ urn }) => urn.endsWith(`::${name}`));
    if (!found) throw new Error(`the stack has no resource ${name}`);
    return found.urn;
  }

  /** kubectl in the test's namespace; the answer's text, or undefined if what was asked for is not there. */
  async kubectl(...args: string[]): Promise<string | undefined> {
    return this.#tool("kubectl", ["--context", context, "--namespace", this.namespace, ...args]);
  }

  async helm(...args: string[]): Promise<string | undefined> {
    return this.#tool("helm", ["--kube-context", context, "--namespace", this.namespace, ...args]);
  }

  /** A helm that writes; of the newer ones that apply on the server, as no provider does, what says not to. */
  async helmWrite(...args: string[]): Promise<string | undefined> {
    const version = (await this.helm("version", "--template", "{{.Version}}")) ?? "";
    return this.helm(...args, ...(version.startsWith("v3.") ? [] : ["--server-side=false"]));
  }

  async #tool(program: string, args: readonly string[]): Promise<string | undefined> {
    const result = await execa(program, args, { env: this.#env, stdin: "ignore", reject: false });
    if (!result.failed) return result.stdout;
    if (/not ?found/i.test(result.stderr)) return undefined;
    throw new Error(`${program} ${args.join(" ")}: ${result.stderr || result.shortMessage}`);
  }

  /** Removes what the stack has made, and the project. */
  async destroy(): Promise<void> {
    const { ok, text } = await this.pulumi("destroy", "--yes", "--skip-preview");
    if (!ok) throw new Error(`destroy failed:\n${text}`);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A file of the project; folders are made as needed. */
  async file(name: string, text: string): Promise<string> {
    const file = path.join(this.#folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  }
}
