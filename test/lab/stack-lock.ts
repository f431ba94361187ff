import { readdir } from "node:fs/promises";
import path from "node:path";

import { until } from "../../lib/until.ts";
import { target } from "./target.ts";

/** Waits until an update holds the lock of a stack. */
export async function locked(stack: string): Promise<void> {
  const backend = path.join(target.state, ".pulumi");
  await until(
    `an update to hold the lock of ${stack}`,
    async () => {
      const files = await readdir(path.join(backend, "locks"), { recursive: true });
      if (!files.some((name) => name.includes(`/${stack}/`) && name.endsWith(".json"))) {
        throw new Error("there is none");
      }
    },
    { timeoutMs: 60_000, everyMs: 20 },
  );
}
