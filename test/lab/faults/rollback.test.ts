import { describe, expect, it } from "vitest";

import { signal } from "../component.ts";
import { expectProof, releaseOf } from "../release-command.ts";
import { first, second, withFaultsRelease } from "../release.ts";

const release = withFaultsRelease();
const { stack, id, beginAt, deployed } = release;

async function rollback() {
  return releaseOf(stack, "rollback", "--to", "zero");
}

describe("a rollback while an API server does not answer", () => {
  it("lowers the others, names it and fails, and completes when it is back", async () => {
    await beginAt(10);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      const { exitCode, text } = await rollback();
      expect(exitCode).toBe(1);
      expect(text).toContain(` - ${second.name}: no answer in time`);
      expect(text).toContain(` - ${first.name}: ${id} has v1 at 100 %, v2 at 0 %`);
      expect(text).toContain(`npm run release -- rollback --stack ${stack} --to zero`);
      expect((await deployed([first]))[0]?.weight).toBe(0);
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
    expectProof(release, await rollback());
    expect((await deployed()).map(({ weight }) => weight)).toEqual([0, 0]);
  });
});
