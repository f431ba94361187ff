import { describe, expect, it } from "vitest";
import { changes } from "../../../preview/changes.ts";
import { renderPreview } from "../../../preview/markdown.ts";
import { withoutSecrets } from "../../../preview/secrets.ts";
import { digest, step } from "../../helpers/preview.ts";

const KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n";
const MARKED = {
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  ciphertext: "v1:c2VjcmV0",
};

describe("what is shown of a property", () => {
  it.each([
    ["a value that is marked as secret", MARKED, "x:y:Z", ["a"], "[secret]"],
    ["one deep inside", { a: [MARKED, 1] }, "x:y:Z", [], { a: ["[secret]", 1] }],
    ["ciphertext without its mark", { ciphertext: "v1:c2", a: 1 }, "x:y:Z", [], { a: 1 }],
    ["a field of a Secret", "aGk=", "kubernetes:core/v1:Secret", ["data", "tls.key"], "[secret]"],
    ["all of them", { k: "v" }, "kubernetes:core/v1:Secret", ["stringData"], "[secret]"],
    ["a private key in text", `a\n${KEY}`, "x:y:Z", ["note"], "a\n[secret]\n"],
    ["half a private key", KEY.slice(0, 40), "x:y:Z", ["note"], "[secret]"],
    ["a password", "hunter2", "x:y:Z", ["spec", "dbPassword"], "[secret]"],
    ["a password within a value", { token: "t" }, "x:y:Z", ["spec"], { token: "[secret]" }],
  ])("is no secret for %s", (_, value, type, path, shown) => {
    expect(withoutSecrets(value, type, path)).toEqual(shown);
  });

  it("is the value itself for everything else", () => {
    const value = { credentialName: "user-example-com", weight: 10, list: ["a", null, true] };
    expect(withoutSecrets(value, "x:y:Z", ["spec"])).toEqual(value);
    expect(withoutSecrets({ a: "b" }, "kubernetes:core/v1:ConfigMap", ["data"])).toEqual({
      a: "b",
    });
    expect(withoutSecrets(undefined, "kubernetes:core/v1:Secret", ["data", "x"])).toBeUndefined();
  });
});

describe("a rendered preview", () => {
  it("holds no secret, wherever one is", () => {
    const secret = (data: unknown) => ({
      metadata: { name: "cacerts", namespace: "istio-system" },
      data,
    });
    const text = renderPreview(
      digest(
        [
          step({
            op: "update",
            type: "kubernetes:core/v1:Secret",
            name: "cacerts",
            cluster: "cluster-a",
            old: secret({ "ca-key.pem": "QUJDREVG" }),
            new: secret({ "ca-key.pem": "R0hJSktM" }),
            diff: { 'data["ca-key.pem"]': true },
          }),
          step({
            op: "update",
            type: "pulumi-nodejs:istio-canary:Certificate",
            name: "certificates-cluster-a",
            old: { rotation: "1", issuerKey: KEY },
            new: { rotation: "2", issuerKey: MARKED },
          }),
        ],
        { diagnostics: [{ severity: "error", message: `this is no certificate: ${KEY}` }] },
      ),
      { stack: "prod", now: new Date(0) },
    );
    for (const hidden of ["QUJDREVG", "R0hJSktM", "MIGHAgEAMBMG", "v1:c2VjcmV0", "PRIVATE KEY"]) {
      expect(text).not.toContain(hidden);
    }
    // The changes are there all the same.
    expect(text).toContain('`data["ca-key.pem"]`: `[secret]` → `[secret]`');
    expect(text).toContain("`rotation`: `1` → `2`");
    expect(text).toContain("this is no certificate: [secret]");
  });

  it("tells that a property changes even where both sides are secret", () => {
    const [change] = changes(
      digest([
        step({
          op: "update",
          type: "kubernetes:core/v1:Secret",
          name: "s",
          cluster: "cluster-a",
          old: { data: "[secret]" },
          new: { data: "[secret]" },
          diff: { data: true },
        }),
      ]),
    );
    expect(change?.properties).toEqual([{ path: "data", old: "[secret]", new: "[secret]" }]);
  });
});
