import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");

describe("a command on a machine without Pulumi", () => {
  it("says that the CLI is missing, and which command needs none", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [path.join(root, "release/cli.ts"), "status", "--stack", "prod"],
      { cwd: root, encoding: "utf8", env: { PATH: "/nonexistent" } },
    );
    expect(stderr).toBe(
      "release: The Pulumi CLI is not on the PATH. Install it: https://www.pulumi.com/docs/iac/download-install/. To take canaries back to 0 % without it: npm run release -- zero\n",
    );
    expect(status).toBe(1);
  });
});
