import { createHash } from "node:crypto";
import { glob, readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import {
  ConcurrentUpdateError,
  LocalWorkspace,
  Stack,
  type ConfigMap,
  type DiagnosticEvent,
  type UpdateSummary,
  type UpOptions,
  type UpResult,
} from "@pulumi/pulumi/automation/index.js";
import * as z from "zod";
import { exclusionArgs, exclusionOf } from "../lib/away.ts";
import type { Exception } from "../lib/exceptions.ts";
import { problemLine, type Problem } from "../lib/problems.ts";
import { parseDigest, type Digest } from "../preview/digest.ts";
import { previewJson } from "../preview/preview-json.ts";
import { parseConfig, rawConfig, type ReleaseSettings } from "../stacks/config.ts";
import { findMesh, type FoundMesh } from "../stacks/existing-istio.ts";
import { keptFor, lastTraffic, type ServiceShares } from "../stacks/kept-versions.ts";
import { meshStackOf, type MeshStack } from "../stacks/mesh-stack.ts";
import { RELEASE_KEYS, schema } from "../stacks/schema.ts";
import { namesOf } from "../stacks/schema/away.ts";
import { exportState, importState } from "./stack-state.ts";
import type { StackState } from "./eject/state.ts";
import { numberIn, setNumber, setText, withCopy, withEntry, withNumber } from "./config-file.ts";
import { isAlive } from "./is-alive.ts";
import { processesSince } from "./process-space.ts";
import { releaseOf, statesOf, type Release, type State } from "./states.ts";
import { StackLocked } from "./try-again.ts";
import { UpdateFailure } from "./update-failure.ts";

const named = z.array(z.looseObject({ name: z.string() }));
const keyed = z.record(z.string(), z.unknown());

/** Folders without a part in what Pulumi runs; an installation changes package-lock.json. */
const NO_PROGRAM = [".git", ".lab", "docs", "lab", "node_modules", "test"];

/** The rule that keeps a canary from rising that was taken back. */
const RETRY: Exception = "retry-canary";

/** Entries of the history that are asked for at once. */
const PAGE = 100;

/** A stack of this project, through the Pulumi CLI. Which stack is selected stays as it is. */
export class ReleaseStack {
  readonly name: string;
  readonly #stack: Stack;
  readonly #project: string;
  /** As it was read last. */
  #config: ConfigMap;
  /** What is known of the mesh that this stack does not install. @default it has its own */
  readonly #meshStack: MeshStack | FoundMesh | Problem | undefined;
  /** What the clusters that are away send where. */
  readonly #traffic: Readonly<Record<string, ServiceShares>>;
  #retries = false;

  private constructor(
    stack: Stack,
    project: string,
    config: ConfigMap,
    meshStack: MeshStack | FoundMesh | Problem | undefined,
    traffic: Readonly<Record<string, ServiceShares>>,
  ) {
    this.name = stack.name;
    this.#stack = stack;
    this.#project = project;
    this.#config = config;
    this.#meshStack = meshStack;
    this.#traffic = traffic;
  }

  /** @throws if there is no such stack, or its configuration cannot be read */
  static async open(stackName: string): Promise<ReleaseStack> {
    const workDir = path.dirname(import.meta.dirname);
    const workspace = await LocalWorkspace.create({ workDir });
    // Pulumi's would change which stack the user's next command works on; every other call names its stack.
    workspace.selectStack = () => Promise.resolve();
    const stack = await Stack.select(stackName, workspace);
    const [{ name }, config] = await Promise.all([
      stack.workspace.projectSettings(),
      stack.getAllConfig(),
    ]);
    const meshStack = config[`${name}:meshStack`]?.value;
    const away = awayIn(config, name);
    const said = away.length === 0 ? {} : (await outputsOf(stack, stack.name))["clusters"];
    return new ReleaseStack(
      stack,
      name,
      config,
      meshStack
        ? meshStackOf(meshStack, await outputsOf(stack, meshStack))
        : await findMesh(rawConfig(textOf(config), name), () => Promise.resolve(said)),
      lastTraffic(away, said),
    );
  }

  /** What the configuration says of the release now. */
  get release(): Release {
    return releaseOf(this.#config, this.#project);
  }

  /**
   * Sets the weight in the stack's config file, whatever was read from it before, and without the Pulumi CLI: it has to
   * be possible while the backend is away.
   */
  async setWeight(weight: number): Promise<void> {
    await setNumber(this.configFile, this.#weightKey, weight);
    this.#config = { ...this.#config, [this.#weightKey]: { value: String(weight) } };
  }

  /**
   * Changes the config file for something, and gives it back as it was if that fails, but for what somebody else has edited
   * meanwhile: then it stays.
   *
   * @param failed is told whether the file is as it was
   */
  async orAsBefore<T>(
    change: () => Promise<void>,
    use: () => Promise<T>,
    failed: (isAsBefore: boolean) => void,
  ): Promise<T> {
    const [text, config] = [await readFile(this.configFile, "utf8"), { ...this.#config }];
    await change();
    const changed = await readFile(this.configFile, "utf8");
    try {
      return await use();
    } catch (error) {
      const isOurs = (await readFile(this.configFile, "utf8")) === changed;
      if (isOurs) {
        await setText(this.configFile, text);
        this.#config = config;
      }
      failed(isOurs);
      throw error;
    }
  }

  /** The weight in the text of a config file of this stack; undefined if it has none. */
  weightIn(text: string): number | undefined {
    return numberIn(text, this.#weightKey);
  }

  /** Lets the next update by upAt raise a canary that was taken back. The config file stays as it is. */
  retryOnce(): void {
    this.#retries = true;
  }

  /**
   * What `pulumi up` would do if the weight were another one. The config file stays as it is.
   *
   * @param signal ends the preview, which then fails. @default nothing does
   */
  async previewAt(weight: number, signal?: AbortSignal): Promise<Digest> {
    return this.#withCopy(weight, (copy) => this.#preview(copy, signal));
  }

  /**
   * Differs once what a preview follows from has changed: the program, the config file, the recorded state, or what
   * another stack says of the mesh.
   */
  async fingerprint(): Promise<string> {
    const meshStack = this.#config[`${this.#project}:meshStack`]?.value;
    const [files, [last], mesh] = await Promise.all([
      projectFiles(this.#stack.workspace.workDir),
      this.#stack.history(1, 1, false),
      meshStack ? outputsOf(this.#stack, meshStack) : undefined,
    ]);
    return createHash("sha256")
      .update(JSON.stringify([files, last, mesh]))
      .digest("hex");
  }

  /**
   * `pulumi up` as if the weight were another one. The config file stays as it is.
   *
   * @returns the weight that the canaries have then: less, if they were taken back and keep what they have
   */
  async upAt(weight: number, message: string, onOutput?: (text: string) => void): Promise<unknown> {
    const { outputs } = await this.#withCopy(weight, (configFile) =>
      this.up(message, onOutput, { configFile }),
    );
    this.#retries = false;
    return outputs["weight"]?.value;
  }

  async #withCopy<T>(weight: number, use: (copy: string) => Promise<T>): Promise<T> {
    return withCopy(
      this.configFile,
      (text) => {
        const next = withNumber(text, this.#weightKey, weight);
        return this.#retries ? withEntry(next, `${this.#project}:allow`, RETRY) : next;
      },
      use,
    );
  }

  /** Path of the stack's config file. */
  get configFile(): string {
    return path.join(this.#stack.workspace.workDir, `Pulumi.${this.shortName}.yaml`);
  }

  get #weightKey(): string {
    return `${this.#project}:weight`;
  }

  /** Names of the clusters that are away; nothing of what is wrong with them, which the program tells. */
  get away(): readonly string[] {
    return awayIn(this.#config, this.#project);
  }

  /** Names of the clusters that the config lists. @returns undefined if it takes them from another stack */
  get clusterNames(): readonly string[] | undefined {
    const { clusters } = rawConfig(textOf(this.#config), this.#project);
    return named.safeParse(clusters).data?.map(({ name }) => name);
  }

  /** Takes a cluster out of the stack's config file; all else stays as it is. */
  async removeCluster(cluster: string): Promise<void> {
    const raw = rawConfig(textOf(this.#config), this.#project);
    const at = (key: string, list: readonly string[] = []) =>
      list.includes(cluster) ? [`${key}[${list.indexOf(cluster)}]`] : [];
    const below = (key: string, value: unknown) =>
      keyed.safeParse(value).data?.[cluster] === undefined ? [] : [`${key}["${cluster}"]`];
    const paths = [
      ...at("clusters", this.clusterNames),
      ...at("quarantine", schema.quarantine.safeParse(raw["quarantine"]).data),
      ...below("prometheus", raw["prometheus"]),
      ...below("certificates.clusters", keyed.safeParse(raw["certificates"]).data?.["clusters"]),
      // Last: as long as it is there, an interrupted command can be run again.
      ...at("away", this.away),
    ];
    for (const path of paths) await this.#stack.removeConfig(`${this.#project}:${path}`, true);
    this.#config = await this.#stack.getAllConfig();
  }

  async #preview(configFile: string, signal?: AbortSignal): Promise<Digest> {
    const { workDir, envVars } = this.#stack.workspace;
    const flags = exclusionArgs(this.away);
    const options = { cwd: workDir, env: envVars, configFile, flags, signal, quiet: true };
    const { json, ok, stderr } = await previewJson(this.name, options);
    if (!json.trimStart().startsWith("{")) {
      throw new UpdateFailure([], `pulumi preview has failed\n${stderr ?? ""}`);
    }
    const digest = parseDigest(json);
    if (!ok) throw new UpdateFailure(digest.diagnostics, "pulumi preview has failed");
    return digest;
  }

  /** The stack's name without its organization and project. */
  get shortName(): string {
    return this.name.split("/").at(-1) ?? "";
  }

  /** What the stack's last complete update has said of its clusters, by their names. */
  async lastKnown(): Promise<unknown> {
    return (await outputsOf(this.#stack, this.name))["clusters"];
  }

  /** What Pulumi knows of the stack's resources. */
  async exportState(): Promise<StackState> {
    const { workDir, envVars } = this.#stack.workspace;
    return exportState(this.name, { cwd: workDir, env: envVars });
  }

  /** Replaces that. @throws if another update of the stack is running */
  async importState(state: StackState): Promise<void> {
    const { workDir, envVars } = this.#stack.workspace;
    await importState(this.name, state, { cwd: workDir, env: envVars });
  }

  /** Every state that the backend has recorded, newest first. */
  async states(): Promise<readonly State[]> {
    const history: UpdateSummary[] = [];
    for (let page = 1, length = PAGE; length === PAGE; page++) {
      const entries = await this.#stack.history(PAGE, page, false);
      length = entries.length;
      history.push(...entries);
    }
    return statesOf(history, this.#project);
  }

  /** The configuration with another release in it, checked as the program checks it. */
  settings(release: Release): { settings: ReleaseSettings } | { problems: readonly string[] } {
    const replaced = RELEASE_KEYS.map((key) => `${this.#project}:${key}`);
    const text = Object.entries(textOf(this.#config)).filter(([key]) => !replaced.includes(key));
    const changed = Object.entries(release).map(
      ([key, value]) => [`${this.#project}:${key}`, value] as const,
    );
    const mesh = this.#meshStack;
    const [meshStack, unread] = mesh && "rule" in mesh ? [undefined, [mesh]] : [mesh, []];
    const { settings, problems } = parseConfig(
      rawConfig(Object.fromEntries([...text, ...changed]), this.#project),
      new Date(),
      meshStack,
    );
    return settings
      ? { settings: { ...settings, kept: keptFor(settings.services, this.#traffic) } }
      : { problems: [...unread, ...problems].map(problemLine) };
  }

  /**
   * Writes a release into the stack's config file; its keys that are not set go, all other keys, and
   * comments, stay as they are.
   */
  async configure(release: Release): Promise<void> {
    // Another command may have written it since.
    this.#config = await this.#stack.getAllConfig();
    const now = this.release;
    const gone = RELEASE_KEYS.filter(
      (key) => now[key] !== undefined && release[key] === undefined,
    ).map((key) => `${this.#project}:${key}`);
    if (gone.length > 0) {
      await this.#stack.removeAllConfig(gone);
      for (const key of gone) Reflect.deleteProperty(this.#config, key);
    }
    const changed = Object.entries(release).filter(
      ([key, value]) => now[key as keyof Release] !== value,
    );
    if (changed.length === 0) return;
    const values = Object.fromEntries(
      changed.map(([key, value]) => [`${this.#project}:${key}`, { value, secret: false }]),
    );
    await this.#stack.setAllConfigJson(
      JSON.stringify(
        Object.fromEntries(
          Object.entries(values).map(([key, entry]) => [
            key,
            { ...entry, ...structured(entry.value) },
          ]),
        ),
      ),
    );
    Object.assign(this.#config, values);
  }

  /**
   * `pulumi up` without a preview, which a cluster that is down would fail. The lock of an update
   * that was killed on this machine is removed.
   *
   * @throws StackLocked while another update is running, UpdateFailure if it fails
   */
  async up(
    message: string,
    onOutput: (text: string) => void = (text) => process.stdout.write(text),
    more: Pick<UpOptions, "configFile"> = {},
  ): Promise<UpResult> {
    const update = async () => {
      const diagnostics: DiagnosticEvent[] = [];
      try {
        return await this.#stack.up({
          ...more,
          ...exclusionOf(this.away),
          message,
          color: "never",
          onOutput,
          suppressOutputs: true,
          onEvent: ({ diagnosticEvent }) => {
            if (diagnosticEvent) diagnostics.push(diagnosticEvent);
          },
        });
      } catch (error) {
        throw error instanceof ConcurrentUpdateError
          ? error
          : new UpdateFailure(diagnostics, error);
      }
    };
    try {
      return await update();
    } catch (error) {
      if (!(error instanceof ConcurrentUpdateError)) throw error;
      if (!isStale(error.message)) {
        throw new StackLocked(this.name, lockLines(error.message).join("\n"), { cause: error });
      }
      // Standard output may be read by a machine.
      console.error("The last update was killed: its lock is removed (pulumi cancel).");
      await this.#stack.cancel();
      return update();
    }
  }
}

/** The program and its config files, with when each of them has changed. */
async function projectFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob("**/*.{ts,js,json,yaml}", { cwd: root, exclude: NO_PROGRAM })) {
    const { mtimeMs, size } = await stat(path.join(root, file));
    files.push(`${file} ${mtimeMs} ${size}`);
  }
  return files.sort();
}

/** The values of a configuration as they are written in it. */
function textOf(config: ConfigMap): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(config).map(([key, { value }]) => [key, value]));
}

/** Names of the clusters that are away; nothing of what is wrong with them. */
function awayIn(config: ConfigMap, project: string): readonly string[] {
  const { away } = rawConfig(textOf(config), project);
  return namesOf(schema.away.safeParse(away).data ?? []);
}

/** The values of another stack's outputs. */
async function outputsOf({ workspace }: Stack, name: string): Promise<Record<string, unknown>> {
  const outputs = Object.entries(await workspace.stackOutputs(name));
  return Object.fromEntries(outputs.map(([key, { value }]) => [key, value as unknown]));
}

/** Lists and maps are written as such. */
function structured(value: string): { readonly objectValue?: unknown } {
  return /^[[{]/.test(value) ? { objectValue: JSON.parse(value) as unknown } : {};
}

const LOCK = /created by \S+@(\S+) \(pid (\d+)\) at (\S+)/;

function lockLines(message: string): string[] {
  return [...new Set(message.split("\n"))].filter((line) => LOCK.test(line));
}

/**
 * Whether every process that holds a lock ran on this machine and is no more. One that has locked it before there were
 * processes here, as in the container of an earlier job, ran elsewhere, whatever the name of its host.
 */
export function isStale(
  message: string,
  host: string = hostname(),
  lives: (pid: number) => boolean = isAlive,
  since: Date | undefined = processesSince(),
): boolean {
  const locks = lockLines(message).map((line) => LOCK.exec(line) ?? []);
  return (
    since !== undefined &&
    locks.length > 0 &&
    locks.every(
      ([, on, pid, at]) =>
        on === host && Date.parse(at ?? "") >= since.getTime() && !lives(Number(pid)),
    )
  );
}
