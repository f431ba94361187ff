import { readdir, readFile } from "node:fs/promises";

/** How often the processes are looked for, in milliseconds. The kernel itself keeps the peak of each. */
const EVERY_MS = 200;

/** The fields of `/proc/<pid>/status`, or undefined if the process has ended. */
async function status(pid: string): Promise<ReadonlyMap<string, string> | undefined> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  return new Map(
    text.split("\n").map((line): [string, string] => {
      const [name = "", value = ""] = line.split(":", 2);
      return [name, value.trim()];
    }),
  );
}

/**
 * Runs something, and watches over the processes that it starts.
 *
 * @returns what it gave, and the most memory that one of the processes has had at any time, in MiB
 */
export async function withPeakMemory<T>(
  run: () => Promise<T>,
): Promise<{ readonly value: T; readonly peakMiB: number }> {
  const own = String(process.pid);
  let peak = 0;
  const look = async (): Promise<void> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const all = new Map(
      (await Promise.all(pids.map(async (pid) => [pid, await status(pid)] as const))).flatMap(
        ([pid, fields]) => (fields ? [[pid, fields] as const] : []),
      ),
    );
    const isOurs = (pid: string): boolean => {
      const parent = all.get(pid)?.get("PPid") ?? "0";
      return parent === own || (parent !== "0" && isOurs(parent));
    };
    for (const [pid, fields] of all) {
      if (!isOurs(pid)) continue;
      peak = Math.max(peak, Number.parseInt(fields.get("VmHWM") ?? "0", 10));
    }
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  try {
    const value = await run();
    return { value, peakMiB: peak / 1024 };
  } finally {
    clearInterval(timer);
  }
}
