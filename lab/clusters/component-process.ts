import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, open, writeFile } from "node:fs/promises";
import path from "node:path";
import { readIfThere } from "../files.ts";
import { until } from "../../lib/until.ts";
import type { Component } from "./plan.ts";
import { processInfos, type ProcessInfo } from "./proc.ts";
import type { Step } from "./steps.ts";

/** Where and how the components of one node run. */
export interface Host {
  /** The command that runs `argv` as the given component; it must end when the program does. */
  command(component: string, argv: readonly string[]): readonly string[];
  /** Every process that may be the component's. */
  pids(component: string): Promise<readonly number[]>;
  /** Resolves if the component is ready, throws what is missing otherwise. */
  probe(component: Component): Promise<void>;
  readonly logDir: string;
  readonly readyTimeoutMs: number;
}

const fingerprintVariable = "LAB_FINGERPRINT";
const stopTimeoutMs = 10_000;
const logLinesShown = 20;

/**
 * The steps that start each component, each as soon as those it comes after are ready. A component
 * that runs as planned is only probed. What runs when a step fails keeps running, for the next try.
 */
export function componentSteps(components: readonly Component[], host: Host): Step[] {
  return components.map((component) => ({
    name: component.name,
    after: component.after,
    run: (signal) => startComponent(component, host, signal),
  }));
}

/** The running process of a component, whether or not it runs as planned now. */
export async function findProcess(
  component: Component,
  host: Host,
): Promise<ProcessInfo | undefined> {
  const program = path.basename(component.program);
  const infos = await processInfos(await host.pids(component.name));
  return infos.find((info) => path.basename(info.argv[0] ?? "") === program);
}

/** The last lines of a component's log. */
export async function logTail(component: string, host: Pick<Host, "logDir">): Promise<string> {
  const text = await readIfThere(logFile(component, host));
  if (text === undefined) return "(no log)";
  const lines = text.trimEnd().split("\n").slice(-logLinesShown);
  return lines.map((line) => `  ${line.slice(0, 400)}`).join("\n");
}

/** Where a component's output goes. */
export function logFile(component: string, host: Pick<Host, "logDir">): string {
  return path.join(host.logDir, `${component}.log`);
}

async function startComponent(
  component: Component,
  host: Host,
  aborted: AbortSignal,
): Promise<void> {
  const fingerprint = fingerprintOf(component);
  const running = await findProcess(component, host);
  if (running?.env.get(fingerprintVariable) === fingerprint) {
    await until(`${component.name} to be ready`, () => host.probe(component), {
      timeoutMs: host.readyTimeoutMs,
      signal: aborted,
    }).catch((error: unknown) => failedToStart(component, host, error));
    return;
  }
  if (running) await stop(component, host);
  for (const [file, content] of Object.entries(component.files)) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content, { mode: 0o600 });
  }
  const exited = await launch(component, host, fingerprint);
  try {
    await until(`${component.name} to be ready`, () => host.probe(component), {
      timeoutMs: host.readyTimeoutMs,
      signal: AbortSignal.any([aborted, exited]),
    });
  } catch (error) {
    // One that hangs before it is ready would look like a running one to the next start.
    if (!aborted.aborted) await stop(component, host);
    await failedToStart(component, host, error);
  }
}

async function failedToStart(component: Component, host: Host, error: unknown): Promise<never> {
  const reason = error instanceof Error ? error.message : String(error);
  throw new Error(
    `${component.name} did not become ready: ${reason}\nEnd of ${logFile(component.name, host)}:\n` +
      (await logTail(component.name, host)),
    { cause: error },
  );
}

/** Starts the program apart from us, so that it outlives us; the signal is set if it ends. */
async function launch(component: Component, host: Host, fingerprint: string): Promise<AbortSignal> {
  await mkdir(host.logDir, { recursive: true });
  const log = await open(logFile(component.name, host), "a");
  const [program = "", ...args] = host.command(component.name, [
    component.program,
    ...component.args,
  ]);
  const exited = new AbortController();
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    // A clean environment: a proxy set for the user's shell must not catch the lab's own calls.
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      [fingerprintVariable]: fingerprint,
      ...component.env,
    },
  });
  child.once("error", (error) => {
    exited.abort(error);
  });
  child.once("exit", (code, signal) => {
    exited.abort(new Error(`it ended with ${signal ?? `exit code ${code ?? 0}`}`));
  });
  child.unref();
  await log.close();
  return exited.signal;
}

async function stop(component: Component, host: Host): Promise<void> {
  const started = Date.now();
  await until(
    `${component.name} to stop`,
    async () => {
      const running = await findProcess(component, host);
      if (!running) return;
      const signal = Date.now() - started < stopTimeoutMs ? "SIGTERM" : "SIGKILL";
      try {
        process.kill(running.pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
      throw new Error(`process ${running.pid} is still running after ${signal}`);
    },
    { timeoutMs: 2 * stopTimeoutMs },
  );
}

function fingerprintOf(component: Component): string {
  const { program, args, env, files } = component;
  return createHash("sha256")
    .update(JSON.stringify({ program, args, env, files }))
    .digest("hex")
    .slice(0, 16);
}
