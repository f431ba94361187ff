import { readFileSync, readlinkSync } from "node:fs";
import { uptime } from "node:os";

/** Ticks of a second in which Linux gives times of processes, on all machines that Node.js runs on. */
const TICKS = 100;
/** The field with a process' start, counted from the one behind its name, which may have spaces. */
const STARTED = 19;

function fromLinux<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Identifies where a number means one process: a boot of a machine, and there a namespace of processes, such as a
 * container's. Undefined on a system that does not tell, other than Linux.
 */
export function processSpace(): string | undefined {
  return fromLinux(() => {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  });
}

/**
 * Since when there are processes where this one runs: the start of its container, or of the machine. Undefined where
 * that is not told.
 */
export function processesSince(): Date | undefined {
  if (process.platform !== "linux") return new Date(Date.now() - uptime() * 1_000);
  return fromLinux(() => {
    const [, boot] = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8")) ?? [];
    const first = readFileSync("/proc/1/stat", "utf8");
    const ticks = Number(first.slice(first.lastIndexOf(")") + 2).split(" ")[STARTED]);
    const since = new Date((Number(boot) + ticks / TICKS) * 1_000);
    return Number.isNaN(since.getTime()) ? undefined : since;
  });
}
