import { execa } from "execa";
import { expect, test } from "vitest";
import { until } from "../../../lib/until.ts";

const host = new URL("../../standins/language-host/main.ts", import.meta.url).pathname;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a plugin ends when the engine that started it is killed", async () => {
  const engine = execa(
    "sh",
    ["-c", '"$0" "$1" 127.0.0.1:1 & echo "plugin $!"; wait', process.execPath, host],
    { reject: false },
  );
  let output = "";
  engine.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const plugin = await until(
    "the plugin to print its port",
    () => {
      if (!/^\d+$/m.test(output)) throw new Error(`it printed "${output}"`);
      return Number(/plugin (\d+)/.exec(output)?.[1]);
    },
    { timeoutMs: 15_000 },
  );
  expect(isRunning(plugin)).toBe(true);
  engine.kill("SIGKILL");
  await until(
    "the plugin to end",
    () => {
      if (isRunning(plugin)) throw new Error("it is still running");
    },
    { timeoutMs: 10_000 },
  );
});
