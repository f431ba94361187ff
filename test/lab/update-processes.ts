import { readdir, readFile } from "node:fs/promises";

import { processInfos, type ProcessInfo } from "../../lab/clusters/proc.ts";

/** The variable by which all processes of an update are found: they inherit it. */
export const UPDATE_VARIABLE = "LAB_TEST_UPDATE";

/** Every process that has inherited a value of the variable. */
export async function processesOf(update: string): Promise<readonly ProcessInfo[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const own = await Promise.all(
    pids.map(async (pid) => {
      // Some processes of the machine have just ended, or are nobody's to look at.
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.includes(`${UPDATE_VARIABLE}=${update}`) ? [pid] : [];
    }),
  );
  return processInfos(own.flat());
}

/** Kills processes at once, without a chance to end well. */
export function killProcesses(processes: readonly ProcessInfo[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
