import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDnsLabel, isLabelValue } from "../../../lib/names.ts";
import { versionName, workloadName } from "../../../lib/version-name.ts";

const values = fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
/** Those that read alike: only their digests tell them apart. */
const alike = fc.stringMatching(/^[aA][-_.]{1,3}[bB]$/);

describe("the name of a version", () => {
  it.each([
    ["v1", "v1"],
    ["1-16-0", "1-16-0"],
    ["1.16.0", "1-16-0-3b41f45f"],
    ["v1_2", "v1-2-614edb1f"],
    ["V1", "v1-dae96fc0"],
    ["2024.11.30-abc", "2024-11-30-abc-3fe25dcc"],
  ])("is, of %s, %s", (version, name) => {
    expect(versionName(version)).toBe(name);
  });

  it("is a DNS label, and its own name", () => {
    fc.assert(
      fc.property(values, (version) => {
        expect(isLabelValue(version)).toBe(true);
        const name = versionName(version);
        expect(isDnsLabel(name), name).toBe(true);
        expect(versionName(name)).toBe(name);
      }),
    );
  });

  it("is no other version's", () => {
    fc.assert(
      fc.property(fc.oneof(values, alike), fc.oneof(values, alike), (one, other) => {
        expect(versionName(one) === versionName(other)).toBe(one === other);
      }),
    );
  });

  it("is part of the name of what is made for it", () => {
    expect(workloadName("web", "v1")).toBe("web-v1");
    expect(workloadName("web", "1.16.0")).toBe("web-1-16-0-3b41f45f");
  });
});

describe("the value of a label", () => {
  it.each(["", "-a", "a-", ".1", "1.", "a b", "a/b", "é", "a".repeat(64)])("is not %j", (text) => {
    expect(isLabelValue(text)).toBe(false);
  });
});
