import { describe, expect, it } from "vitest";
import { isStale } from "../../../release/stack.ts";

const locks = (...by: string[]) =>
  [
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
    ...by.map((who) => `  file:///state/lock.json: created by ${who} at 2026-11-24T13:00:00Z`),
  ].join("\n");

describe("a lock", () => {
  it.each([
    ["of a process of this machine that is no more", locks("me@here (pid 7)"), true],
    ["of a process that lives", locks("me@here (pid 1)"), false],
    ["of another machine, of whose processes nothing is known", locks("me@there (pid 7)"), false],
    ["beside one that is in use", locks("me@here (pid 7)", "me@here (pid 1)"), false],
    ["that does not say whose it is", locks(), false],
  ])("%s: stale is $2", (_, message, stale) => {
    expect(isStale(message, "here", (pid) => pid === 1)).toBe(stale);
  });
});
