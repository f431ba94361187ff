import { describe, expect, it } from "vitest";
import { changes } from "../../../preview/changes.ts";
import { renderPreview } from "../../../preview/markdown.ts";
import { shownAt } from "../../../preview/secrets.ts";
import { digest, step } from "../../helpers/preview.ts";

const KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n";
const MARKED = {
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  ciphertext: "v1:c2VjcmV0",
};

const SECRET_TYPE = "kubernetes:core/v1:Secret";

describe("what is shown of a property", () => {
  it.each([
    ["what is marked as secret", "x:y:Z", { a: MARKED }, ["a"], "[secret]"],
    [
      "what is marked deep inside",
      "x:y:Z",
      { a: { b: [MARKED, 1] } },
      ["a"],
      { b: ["[secret]", 1] },
    ],
    ["part of what is marked", "x:y:Z", { a: MARKED }, ["a", "b"], "[secret]"],
    ["part of what the engine has replaced", "x:y:Z", { a: "[secret]" }, ["a", "b", 0], "[secret]"],
    ["ciphertext without its mark", "x:y:Z", { a: { ciphertext: "v1:c2", b: 1 } }, ["a"], { b: 1 }],
    [
      "a field of a Secret",
      SECRET_TYPE,
      { data: { "tls.key": "aGk=" } },
      ["data", "tls.key"],
      "[secret]",
    ],
    ["all of them", SECRET_TYPE, { stringData: { k: "v" } }, ["stringData"], "[secret]"],
    ["a private key in text", "x:y:Z", { a: `a\n${KEY}` }, ["a"], "a\n[secret]\n"],
    ["half a private key", "x:y:Z", { a: KEY.slice(0, 40) }, ["a"], "[secret]"],
    [
      "a password",
      "x:y:Z",
      { spec: { dbPassword: "hunter2" } },
      ["spec", "dbPassword"],
      "[secret]",
    ],
    ["what holds one", "x:y:Z", { spec: { token: "t" } }, ["spec"], { token: "[secret]" }],
    [
      "a variable",
      "x:y:Z",
      { env: [{ name: "API_KEY", value: "k" }] },
      ["env", 0, "value"],
      "[secret]",
    ],
    [
      "the list of variables",
      "x:y:Z",
      {
        env: [
          { name: "API_KEY", value: "k" },
          { name: "MODE", value: "m" },
        ],
      },
      ["env"],
      [
        { name: "API_KEY", value: "[secret]" },
        { name: "MODE", value: "m" },
      ],
    ],
  ])("is no secret for %s", (_, type, properties, path, shown) => {
    expect(shownAt(properties, type, path)).toEqual(shown);
  });

  it("is the value itself for everything else", () => {
    const spec = { credentialName: "user-example-com", weight: 10, list: ["a", null, true] };
    expect(shownAt({ spec }, "x:y:Z", ["spec"])).toEqual(spec);
    expect(shownAt({ spec }, "x:y:Z", ["spec", "list", 0])).toBe("a");
    expect(shownAt({ data: { a: "b" } }, "kubernetes:core/v1:ConfigMap", ["data", "a"])).toBe("b");
    expect(shownAt({}, SECRET_TYPE, ["data", "x"])).toBeUndefined();
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
