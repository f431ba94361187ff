import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  configDigests,
  configObjects,
  fileKey,
  type VersionConfig,
} from "../../../lib/version-config.ts";

const shop = { service: "shop", namespace: "user" };
const key = "k".repeat(32);
const none: VersionConfig = { files: {}, secretFiles: {}, secretEnv: {} };
const digests = (more: Partial<VersionConfig>, of = shop, by: string | undefined = key) =>
  configDigests({ ...none, ...more }, of, by);

describe("the digests of what a version reads", () => {
  it("are those of the parts that it has", () => {
    expect(digests({})).toEqual({});
    expect(Object.keys(digests({ files: { "/a": "" } }))).toEqual(["files"]);
    expect(
      digests({ files: { "/a": "1" }, secretFiles: { "/b": "2" }, secretEnv: { C: "3" } }),
    ).toEqual({
      files: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      secretFiles: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      secretEnv: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
  });

  it("are others for other content, places and services, and the same in any order", () => {
    const files = [
      { "/a": "1", "/b": "2" },
      { "/a": "1", "/b": "3" },
      { "/a": "1", "/c": "2" },
      { "/a": "12", "/b": "" },
    ];
    expect(new Set(files.map((each) => digests({ files: each }).files)).size).toBe(files.length);
    expect(digests({ files: { "/b": "2", "/a": "1" } })).toEqual(
      digests({ files: files[0] ?? {} }),
    );
    const secretEnv = { A: "1" };
    expect(digests({ secretEnv })).not.toEqual(
      digests({ secretEnv }, { ...shop, service: "cart" }),
    );
    expect(digests({ secretEnv }).secretEnv).not.toBe(
      digests({ secretFiles: secretEnv }).secretFiles,
    );
  });

  it("are keyed where the content is secret, so that nobody can try values", () => {
    const other = "o".repeat(32);
    for (const secret of [{ secretEnv: { A: "1" } }, { secretFiles: { "/a": "1" } }]) {
      expect(digests(secret)).not.toEqual(digests(secret, shop, other));
      expect(() => configDigests({ ...none, ...secret }, shop, undefined)).toThrow(
        "secrets need secretsKey, which the configuration lacks",
      );
    }
    expect(digests({ files: { "/a": "1" } })).toEqual(
      digests({ files: { "/a": "1" } }, shop, other),
    );
  });

  it("name the objects that are made, and one for all secrets", () => {
    expect(configObjects("shop-v1", {})).toEqual({});
    expect(configObjects("shop-v1", { files: "f" })).toEqual({ configMap: "shop-v1-f" });
    expect(configObjects("shop-v1", { secretEnv: "e" })).toEqual({ secret: "shop-v1-e" });
    const both = configObjects("shop-v1", { secretEnv: "e", secretFiles: "s" }).secret;
    expect(both).toMatch(/^shop-v1-[0-9a-f]{16}$/);
    expect(configObjects("shop-v1", { secretEnv: "e", secretFiles: "t" }).secret).not.toBe(both);
  });
});

describe("the key of a file", () => {
  it("is one that Kubernetes takes, and no other path's nor a variable's", () => {
    const path = fc.stringMatching(/^(\/[-._a-b]{1,3}){1,3}$/);
    fc.assert(
      fc.property(path, path, (one, other) => {
        expect(fileKey(one)).toMatch(/^[-._a-zA-Z0-9]+$/);
        expect(fileKey(one)).not.toMatch(/^[A-Za-z_]\w*$/);
        expect(fileKey(one) === fileKey(other)).toBe(one === other);
      }),
    );
  });
});
