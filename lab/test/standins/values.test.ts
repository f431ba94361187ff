import fc from "fast-check";
import { expect, test } from "vitest";
import {
  at,
  fromStruct,
  hasSecret,
  hasUnknown,
  listAt,
  plain,
  redact,
  reveal,
  secret,
  secretTexts,
  textAt,
  toStruct,
  UNKNOWN,
  withSecretsOf,
  type Fields,
} from "../../standins/kubernetes-provider/values.ts";
import { anyObject } from "./json.ts";

test("any object survives the way over the wire", () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      expect(fromStruct(toStruct(object))).toEqual(object);
    }),
  );
});

test("a field without a value is not sent", () => {
  expect(fromStruct(toStruct({ a: undefined, b: { c: undefined, d: null } }))).toEqual({
    b: { d: null },
  });
});

test("a secret is found and revealed at any depth", () => {
  const inputs: Fields = { list: [{ password: secret("opensesame") }] };
  expect(hasSecret(inputs)).toBe(true);
  expect(plain(inputs)).toEqual({ list: [{ password: "opensesame" }] });
  expect(secretTexts(inputs)).toEqual(["opensesame"]);
  expect(hasSecret(plain(inputs))).toBe(false);
});

test("a secret is marked once, however often it is marked", () => {
  expect(secret(secret("x"))).toEqual(secret("x"));
  expect(reveal(secret("x"))).toBe("x");
});

test("an unknown is found at any depth", () => {
  expect(hasUnknown({ a: [{ b: UNKNOWN }] })).toBe(true);
  expect(hasUnknown({ a: secret(UNKNOWN) })).toBe(true);
  expect(hasUnknown({ a: "known" })).toBe(false);
});

test("paths look through secrets and end quietly", () => {
  const object: Fields = { metadata: secret({ name: "web", ports: [1] }) };
  expect(textAt(object, "metadata", "name")).toBe("web");
  expect(listAt(object, "metadata", "ports")).toEqual([1]);
  expect(at(object, "metadata", "labels", "app")).toBeUndefined();
  expect(textAt({ name: UNKNOWN }, "name")).toBeUndefined();
});

test("what is secret in the inputs becomes secret in the outputs, and nothing else", () => {
  const output: Fields = { spec: { user: "me", password: "p4ssw0rd", other: 1 }, status: "ok" };
  expect(withSecretsOf(output, { spec: { user: "me", password: secret("p4ssw0rd") } })).toEqual({
    spec: { user: "me", password: secret("p4ssw0rd"), other: 1 },
    status: "ok",
  });
});

test("a list with a secret item becomes secret as a whole, because the server may sort it", () => {
  const env = [{ name: "B" }, { name: "A", value: "p4ssw0rd" }];
  expect(
    withSecretsOf({ env }, { env: [{ name: "A", value: secret("p4ssw0rd") }, { name: "B" }] }),
  ).toEqual({ env: secret(env) });
});

test("an object that is secret as a whole stays so", () => {
  expect(withSecretsOf({ data: { a: "b" } }, { data: secret({ a: "b" }) })).toEqual({
    data: secret({ a: "b" }),
  });
});

test("messages lose secrets, plain and in base64", () => {
  const encoded = Buffer.from("opensesame").toString("base64");
  expect(redact(`bad value "opensesame" (${encoded})`, ["opensesame"])).toBe(
    'bad value "[secret]" ([secret])',
  );
  expect(redact("a bad cat", ["a"])).toBe("a bad cat");
});
