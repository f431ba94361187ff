import { readFile } from "node:fs/promises";

/** What the kernel says about one running process. */
export interface ProcessInfo {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly startedAt: Date;
  /** When it started, in ticks since the machine did: with the pid, no other process has the same. */
  readonly startTicks: number;
  /** Pid in the innermost pid namespace. */
  readonly innerPid: number;
}

/** Clock ticks a second in which /proc gives times; fixed for programs since Linux 2.6. */
const ticksPerSecond = 100;

/** What /proc says about a process, or undefined if there is no such process any more. */
async function processInfo(pid: number): Promise<ProcessInfo | undefined> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8");
  let texts;
  try {
    texts = await Promise.all([
      read("cmdline"),
      read("environ"),
      read("stat"),
      read("status"),
      readFile("/proc/stat", "utf8"),
    ]);
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  const [cmdline, environ, stat, status, machine] = texts;
  // The name in parentheses may hold anything, spaces and parentheses too: count after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const startTicks = Number(fields[19]);
  if (state === "Z" || state === "X") return undefined;
  const bootSeconds = Number(/^btime (\d+)$/m.exec(machine)?.[1] ?? 0);
  const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return {
    pid,
    argv: cmdline.split("\0").slice(0, -1),
    env: new Map(
      environ
        .split("\0")
        .filter((entry) => entry.includes("="))
        .map((entry) => {
          const at = entry.indexOf("=");
          return [entry.slice(0, at), entry.slice(at + 1)];
        }),
    ),
    startTicks,
    startedAt: new Date((bootSeconds + startTicks / ticksPerSecond) * 1000),
    innerPid: Number(pids.at(-1) ?? pid),
  };
}

/** Those of the processes that are still there. */
export async function processInfos(pids: readonly number[]): Promise<ProcessInfo[]> {
  const all = await Promise.all(pids.map((pid) => processInfo(pid)));
  return all.filter((info) => info !== undefined);
}
