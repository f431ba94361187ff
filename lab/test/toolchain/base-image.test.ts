import { expect, test } from "vitest";
import { distributionSources } from "../../toolchain/base-image.ts";

const line = (...fields: string[]) => fields.join("\t");

test("the release and its pockets are the distribution's, other publishers are not", () => {
  const targets = [
    line("Packages", "mirror+file:/etc/apt/mirrors.txt", "bookworm", "main"),
    line("Packages", "mirror+file:/etc/apt/mirrors.txt", "bookworm", "contrib"),
    line("Translations", "mirror+file:/etc/apt/mirrors.txt", "bookworm", "main"),
    line("Packages", "https://mirror.example/security", "bookworm-security", "main"),
    line("Packages", "https://vendor.example/", "nodistro", "main"),
    line("Packages", "https://vendor.example/", "sdk-bookworm", "main"),
    "",
  ].join("\n");
  expect(distributionSources(targets, "bookworm")).toEqual([
    { uri: "mirror+file:/etc/apt/mirrors.txt", suite: "bookworm", components: ["main", "contrib"] },
    { uri: "https://mirror.example/security", suite: "bookworm-security", components: ["main"] },
  ]);
});

test("a component listed for two architectures counts once", () => {
  const twice = line("Packages", "https://mirror.example/", "noble", "main");
  expect(distributionSources(`${twice}\n${twice}\n`, "noble")).toEqual([
    { uri: "https://mirror.example/", suite: "noble", components: ["main"] },
  ]);
});

test("apt lists that were never fetched give no source", () => {
  expect(distributionSources("", "bookworm")).toEqual([]);
});
