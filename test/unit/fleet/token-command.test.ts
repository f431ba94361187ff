import { expect, it, vi } from "vitest";
import { TokenCommand } from "../../../fleet/token-command.ts";

it("does not wait for a program that does not end, nor for what it has started", async () => {
  const command = new TokenCommand(["sh", "-c", "sleep 600 & sleep 600"], { limit: 300, kept: 1 });
  await expect(command.token()).rejects.toThrow(
    "the program sh gave no token: it did not end within 0.3 s",
  );
}, 10_000);

it("asks again once a token is old, and at once after a failure", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const command = new TokenCommand(["sh", "-c", "echo $$"], { limit: 5_000, kept: 60_000 });
    const first = await command.token();
    vi.advanceTimersByTime(59_000);
    expect(await command.token()).toBe(first);
    vi.advanceTimersByTime(1_000);
    expect(await command.token()).not.toBe(first);
  } finally {
    vi.useRealTimers();
  }
  const failing = new TokenCommand(["sh", "-c", "echo $$ >&2; exit 1"]);
  const [one, two] = [await failing.token().catch(String), await failing.token().catch(String)];
  expect(one).toContain("exit code 1");
  expect(two).not.toBe(one);
});
