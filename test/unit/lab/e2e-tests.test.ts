import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { e2eTests } from "../../lab/e2e-tests.ts";

const given = { E2E_CONTEXTS: "east, west", E2E_IMAGES: "registry.example.com/e2e" };
const root = path.resolve(import.meta.dirname, "../../..");

describe("the tests on clusters of a user's", () => {
  it("break nothing", () => {
    const { contexts, files } = e2eTests(given);
    expect(contexts).toEqual(["east", "west"]);
    expect(files).toContain("test/lab/order.test.ts");
    expect(files.filter((file) => file.includes("/faults/"))).toEqual([]);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it("break clusters only where both are named", () => {
    const { files } = e2eTests({ ...given, E2E_DESTRUCTIVE: "west,east" });
    expect(files).toContain("test/lab/faults/istiod.test.ts");
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it.each(["east", "east,east", "prod-a,prod-b", "east,prod-b"])(
    "break nothing where others are named, or one alone: %s",
    (named) => {
      expect(() => e2eTests({ ...given, E2E_DESTRUCTIVE: named })).toThrow(
        `E2E_DESTRUCTIVE: must name the same contexts as CONTEXTS (east,west), or none; it names ${named}`,
      );
    },
  );

  it.each([undefined, "", "east", "east,east", "a,b,c"])(
    "need two contexts, not %s",
    (contexts) => {
      expect(() => e2eTests({ ...given, E2E_CONTEXTS: contexts })).toThrow(
        "E2E_CONTEXTS: must name two contexts",
      );
    },
  );

  it("need images", () => {
    expect(() => e2eTests({ ...given, E2E_IMAGES: undefined })).toThrow(
      "make e2e-images IMAGES=registry.example.com/e2e makes them.",
    );
  });
});
