import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";

function read(file: string): string {
  return readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
}

describe("the image of a rollout", () => {
  const { dependencies } = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read("package.json")));

  it.each([
    { of: "the Pulumi CLI", line: /pulumi-nodejs-\d+:(\S+)/, dependency: "@pulumi/pulumi" },
    {
      of: "the provider",
      line: /plugin install resource kubernetes (\S+)/,
      dependency: "@pulumi/kubernetes",
    },
  ])("has the version of $of that the program is tested with", ({ line, dependency }) => {
    expect(line.exec(read("Containerfile"))?.[1]).toBe(dependencies[dependency]);
  });
});
