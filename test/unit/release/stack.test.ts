import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import {
  ConcurrentUpdateError,
  LocalWorkspace,
  Stack,
  type ConfigMap,
  type UpOptions,
  type UpResult,
} from "@pulumi/pulumi/automation/index.js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isStale, ReleaseStack } from "../../../release/stack.ts";
import { StackLocked } from "../../../release/try-again.ts";
import { CHAIN } from "../../helpers/chain.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

/** @param at when it was locked */
const locksAt = (at: string, ...by: string[]) =>
  [
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
    ...by.map((who) => `  file:///state/lock.json: created by ${who} at ${at}`),
  ].join("\n");
const locks = (...by: string[]) => locksAt("2026-11-24T13:00:00Z", ...by);

describe("a lock", () => {
  it.each([
    ["of a process of this machine that is no more", locks("me@here (pid 7)"), true],
    ["of a process that lives", locks("me@here (pid 1)"), false],
    ["of another machine, of whose processes nothing is known", locks("me@there (pid 7)"), false],
    ["beside one that is in use", locks("me@here (pid 7)", "me@here (pid 1)"), false],
    ["that does not say whose it is", locks(), false],
  ])("%s: stale is $2", (_, message, stale) => {
    const since = new Date("2026-11-24T12:00:00Z");
    expect(isStale(message, "here", (pid) => pid === 1, since)).toBe(stale);
  });

  it("from before there were processes here is of another host with the name of this one", () => {
    const message = locks("me@here (pid 7)");
    const stale = (since: Date | undefined) => isStale(message, "here", () => false, since);
    expect(stale(new Date("2026-11-24T13:00:00Z"))).toBe(true);
    expect(stale(new Date("2026-11-24T13:00:01Z"))).toBe(false);
  });
});

describe("a command of Pulumi's", () => {
  /**
   * A folder whose `pulumi` notes how it is called, and answers as the CLI does for an empty stack; locked by whom
   * the file `lock` says.
   */
  let folder: string;
  const inFolder = (name: string) => path.join(folder, name);
  const called = () => readFileSync(inFolder("called"), "utf8").trim().split("\n");
  const PULUMI = `#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> called
case "$1 $2" in
  version*) echo v3.259.0 ;;
  "stack history") if [ -e history ]; then echo '[{"version": 1}]'; else echo '[]'; fi ;;
  "config --show-secrets") if [ -e outputs ]; then echo '{"istio-canary:meshStack": {"value": "organization/istio-canary/mesh", "secret": false}}'; else echo '{"istio-canary:chain": {"value": "{}", "secret": false}}'; fi ;;
  "stack output") cat outputs 2>/dev/null || echo '{}' ;;
  up*) if [ -e lock ]; then cat lock >&2; exit 255; fi ;;
  cancel*) rm lock ;;
  *) echo '{}' ;;
esac
`;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "stack-"));
    writeFileSync(inFolder("pulumi"), PULUMI);
    chmodSync(inFolder("pulumi"), 0o755);
    vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it("names the stack, and selects none, so that the user's next one works on the same as before", async () => {
    const stack = await ReleaseStack.open("prod");
    await stack.states();
    await stack.previewAt(10);
    await stack.configure({ weight: "10", chain: "{}" });
    await stack.configure({ weight: "30" });
    await stack.up("a message", () => undefined);
    const calls = called().filter((call) => call !== "version");
    expect(calls.map((call) => call.split(" ", 2).join(" "))).toEqual(
      expect.arrayContaining(["config set-all", "config rm-all", "stack history", "up --yes"]),
    );
    expect(calls.filter((call) => !/ --stack prod( |$)/.test(call))).toEqual([]);
    expect(calls.filter((call) => call.startsWith("stack select"))).toEqual([]);
  });

  it("has a fingerprint that differs once the program, the config file, the state or the mesh does", async () => {
    const workDir = inFolder("project");
    mkdirSync(path.join(workDir, "test"), { recursive: true });
    const write = (file: string, text: string) => {
      writeFileSync(path.join(workDir, file), text);
    };
    write("Pulumi.yaml", "name: istio-canary\nruntime: nodejs\n");
    write("index.ts", "");
    write("Pulumi.prod.yaml", "config: {}");
    const create = LocalWorkspace.create.bind(LocalWorkspace);
    vi.spyOn(LocalWorkspace, "create").mockImplementation((options) =>
      create({ ...options, workDir, envVars: { PATH: process.env["PATH"] ?? "" } }),
    );
    writeFileSync(inFolder("outputs"), "{}");
    const stack = await ReleaseStack.open("prod");
    const seen = [await stack.fingerprint()];
    write("test/index.test.ts", "no part of what Pulumi runs");
    expect(await stack.fingerprint()).toBe(seen[0]);
    write("index.ts", "export {};");
    seen.push(await stack.fingerprint());
    write("Pulumi.prod.yaml", "config: { }");
    seen.push(await stack.fingerprint());
    writeFileSync(inFolder("history"), "");
    seen.push(await stack.fingerprint());
    writeFileSync(inFolder("outputs"), '{"mesh": "of other clusters"}');
    seen.push(await stack.fingerprint());
    expect(new Set(seen).size).toBe(5);
  });

  it("leaves out the resources of clusters that are away", async () => {
    writeFileSync(
      inFolder("pulumi"),
      PULUMI.replace(
        '"istio-canary:chain": {"value": "{}"',
        '"istio-canary:away": {"value": "[\\"cluster-b\\"]"',
      ),
    );
    const stack = await ReleaseStack.open("prod");
    await stack.previewAt(10);
    await stack.up("a message", () => undefined);
    const calls = called().filter((call) => /^(up|preview) /.test(call));
    expect(calls).toHaveLength(2);
    for (const call of calls) {
      expect(call).toContain(" --exclude **:providers:kubernetes::cluster-b");
      expect(call).toContain(" --exclude-dependents");
    }
  });

  it("that a killed one has locked out is repeated, which standard output says nothing of", async () => {
    const stdout = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const log = vi.spyOn(console, "log").mockReturnValue();
    const error = vi.spyOn(console, "error").mockReturnValue();
    // No process has this number, which is above the highest that Linux gives.
    const now = new Date().toISOString();
    writeFileSync(inFolder("lock"), locksAt(now, `me@${hostname()} (pid 4194305)`));
    const stack = await ReleaseStack.open("prod");
    await stack.up("a message", () => undefined);
    const updates = called().filter((call) => /^(up|cancel) /.test(call));
    expect(updates.map((call) => call.split(" ", 1)[0])).toEqual(["up", "cancel", "up"]);
    expect(error.mock.calls).toEqual([
      ["The last update was killed: its lock is removed (pulumi cancel)."],
    ]);
    expect(log.mock.calls).toEqual([]);
    expect(stdout.mock.calls).toEqual([]);
  });
});

describe("a stack's release", () => {
  const { kubeconfig, ...structured } = rawConfig(CHAIN);
  const values: Readonly<Record<string, string>> = {
    kubeconfig,
    ...Object.fromEntries(
      Object.entries(structured).map(([key, value]) => [key, JSON.stringify(value)]),
    ),
  };
  let workDir = "";
  let up: (options: UpOptions) => Promise<Partial<UpResult>> = () => Promise.resolve({});
  /** The stack's config file. */
  let file: ConfigMap;

  async function open(more: Partial<Stack> = {}) {
    file = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [`istio-canary:${key}`, { value }]),
    );
    vi.spyOn(LocalWorkspace, "create").mockResolvedValue({} as LocalWorkspace);
    vi.spyOn(Stack, "select").mockResolvedValue({
      name: "prod",
      workspace: { workDir, projectSettings: () => Promise.resolve({ name: "istio-canary" }) },
      up: (options: UpOptions) => up(options),
      getAllConfig: () => Promise.resolve({ ...file }),
      setAllConfigJson: (json: string) => {
        file = { ...file, ...(JSON.parse(json) as ConfigMap) };
        return Promise.resolve();
      },
      removeAllConfig: (keys: readonly string[]) => {
        file = Object.fromEntries(Object.entries(file).filter(([key]) => !keys.includes(key)));
        return Promise.resolve();
      },
      ...more,
    } as unknown as Stack);
    return ReleaseStack.open("prod");
  }
  it("gets the weight whatever was read of its config file before, which stays as it is otherwise", async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "stack-"));
    const at = path.join(dir, "Pulumi.prod.yaml");
    workDir = dir;
    const text = "# ours\nconfig:\n  istio-canary:weight: 10 # a promote has written it since\n";
    await writeFile(at, text, { mode: 0o600 });
    const stack = await open();
    await stack.setWeight(0);
    // It was 0 when the stack was opened.
    expect(await readFile(at, "utf8")).toBe(text.replace("10", "0"));
    expect((await stat(at)).mode & 0o777).toBe(0o600);
    expect(stack.release.weight).toBe("0");
    expect(await readdir(dir)).toEqual(["Pulumi.prod.yaml"]);
    await rm(dir, { recursive: true });
  });

  it("is updated with a copy of its config file, or says who holds the lock", async () => {
    workDir = await mkdtemp(path.join(tmpdir(), "stack-"));
    const at = path.join(workDir, "Pulumi.prod.yaml");
    const text = "config:\n  istio-canary:weight: 10\n";
    await writeFile(at, text);
    const stack = await open();
    const read: string[] = [];
    up = async ({ configFile = "" }) => {
      read.push(await readFile(configFile, "utf8"));
      return { outputs: { weight: { value: 30, secret: false } } };
    };
    expect(await stack.upAt(30, "release: 30 %")).toBe(30);
    expect(read).toEqual([text.replace("10", "30")]);
    expect(await readFile(at, "utf8")).toBe(text);
    const held = locks("ann@elsewhere (pid 7)");
    up = () =>
      Promise.reject(
        Object.assign(Object.create(ConcurrentUpdateError.prototype) as Error, { message: held }),
      );
    const locked = stack.upAt(30, "release: 30 %");
    await expect(locked).rejects.toBeInstanceOf(StackLocked);
    await expect(locked).rejects.toThrow("created by ann@elsewhere (pid 7)");
    await rm(workDir, { recursive: true });
  });

  it("has its config file as it was, comments too, after what has changed it and failed", async () => {
    workDir = await mkdtemp(path.join(tmpdir(), "stack-"));
    const at = path.join(workDir, "Pulumi.prod.yaml");
    const text = "config: # ours\n  istio-canary:weight: 10\n";
    await writeFile(at, text);
    const stack = await open();
    const before = stack.release;
    const told: boolean[] = [];
    const failed = (isAsBefore: boolean) => void told.push(isAsBefore);
    const fails = () => Promise.reject(new Error("the canary is not ready"));
    await expect(stack.orAsBefore(() => stack.setWeight(0), fails, failed)).rejects.toThrow(
      "the canary is not ready",
    );
    expect(await readFile(at, "utf8")).toBe(text);
    expect(stack.release).toEqual(before);
    const made = stack.orAsBefore(
      () => stack.setWeight(30),
      () => Promise.resolve("made"),
      failed,
    );
    expect(await made).toBe("made");
    expect(await readFile(at, "utf8")).toBe(text.replace("10", "30"));

    const edited = `${text}  istio-canary:away: [cluster-b]\n`;
    const meanwhile = () => writeFile(at, edited).then(fails);
    await expect(stack.orAsBefore(() => stack.setWeight(0), meanwhile, failed)).rejects.toThrow(
      "the canary is not ready",
    );
    expect(await readFile(at, "utf8")).toBe(edited);
    expect(told).toEqual([true, false]);
    await rm(workDir, { recursive: true });
  });

  it("may try a canary again, until one update has succeeded, and the config file stays as it is", async () => {
    workDir = await mkdtemp(path.join(tmpdir(), "stack-"));
    const at = path.join(workDir, "Pulumi.prod.yaml");
    const text = "config:\n  istio-canary:weight: 0\n";
    await writeFile(at, text);
    const stack = await open();
    const allowed: boolean[] = [];
    let fails = true;
    up = async ({ configFile = "" }) => {
      allowed.push((await readFile(configFile, "utf8")).includes('allow: ["retry-canary"]'));
      if (fails) throw new Error("a check has failed");
      return { outputs: { weight: { value: 0, secret: false } } };
    };
    stack.retryOnce();
    await expect(stack.upAt(10, "release: 10 %")).rejects.toThrow();
    fails = false;
    expect(await stack.upAt(10, "release: 10 %")).toBe(0);
    await stack.upAt(30, "release: 30 %");
    expect(allowed).toEqual([true, true, false]);
    expect(await readFile(at, "utf8")).toBe(text);
    await rm(workDir, { recursive: true });
  });

  it("is configured again after another command has changed the config file", async () => {
    const stack = await open();
    const { release } = stack;
    file = { ...file, "istio-canary:weight": { value: "10" } };
    await stack.configure(release);
    expect(file["istio-canary:weight"]?.value).toBe(release.weight);
  });

  const entriesIn = (found: ReturnType<ReleaseStack["settings"]>) =>
    "settings" in found ? (found.settings.chain?.entries ?? "no chain") : found.problems;

  afterEach(() => vi.restoreAllMocks());

  it("says of an update that has failed what the engine has reported as its error", async () => {
    const up = vi.fn<Stack["up"]>((options) => {
      const event = { message: "pods are not ready\n", color: "never", severity: "error" } as const;
      options?.onEvent?.({ sequence: 1, timestamp: 0, diagnosticEvent: event });
      return Promise.reject(new Error("code: 255\n stdout: Updating (prod):"));
    });
    const stack = await open({ up });
    await expect(stack.up("release: 30 %", () => undefined)).rejects.toThrow(
      /^pods are not ready$/,
    );
    expect(up).toHaveBeenCalledOnce();
  });

  it("is read with its chain, and without it where an earlier one had none", async () => {
    const stack = await open();
    const { chain, ...without } = stack.release;
    expect(chain).toBe(values["chain"]);
    expect(entriesIn(stack.settings(stack.release))).toEqual(["user/user-service"]);
    expect(entriesIn(stack.settings(without))).toBe("no chain");
  });

  it("is written so that the chain goes and comes with it, and all else stays", async () => {
    const stack = await open();
    const before = stack.release;
    const { chain, ...without } = before;
    await stack.configure({ ...without, weight: "0" });
    expect(file["istio-canary:chain"]).toBeUndefined();
    expect(file["istio-canary:weight"]?.value).toBe("0");
    expect(file["istio-canary:mesh"]?.value).toBe(values["mesh"]);
    expect(stack.release).toEqual({ ...without, weight: "0" });
    await stack.configure(before);
    expect(file["istio-canary:chain"]?.value).toBe(chain);
    expect(stack.release).toEqual(before);
  });
});
