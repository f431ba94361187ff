import fc from "fast-check";
import { expect, test } from "vitest";
import { driftedInputs } from "../../standins/kubernetes-provider/drift.ts";
import { secret, type Fields } from "../../standins/kubernetes-provider/values.ts";
import { anyObject } from "./json.ts";

test("inputs stay as they are while the server's object stays as it was", () => {
  fc.assert(
    fc.property(anyObject, anyObject, (inputs, live) => {
      expect(driftedInputs(inputs, live, structuredClone(live))).toEqual(inputs);
    }),
  );
});

test("a changed field takes its live value", () => {
  const inputs: Fields = { spec: { route: [{ weight: 90 }, { weight: 10 }] } };
  const live: Fields = { spec: { route: [{ weight: 45 }, { weight: 10 }] } };
  expect(driftedInputs(inputs, inputs, live)).toEqual(live);
});

test("defaults and spellings of the server are no drift", () => {
  const before: Fields = { spec: { cpu: "1", timeout: "10s", added: true } };
  const live: Fields = { spec: { cpu: "1", timeout: "5s", added: true } };
  expect(driftedInputs({ spec: { cpu: "1000m", timeout: "10s" } }, before, live)).toEqual({
    spec: { cpu: "1000m", timeout: "5s" },
  });
});

test("a removed field is missing, and a list of another length is taken as a whole", () => {
  const inputs: Fields = { a: 1, list: [1, 2] };
  expect(driftedInputs(inputs, inputs, { list: [1, 2, 3] })).toEqual({ list: [1, 2, 3] });
});

test("what was never on the server, such as stringData, is no drift", () => {
  const inputs: Fields = { stringData: secret({ a: "b" }) };
  expect(driftedInputs(inputs, {}, { data: { a: "Yg==" } })).toEqual(inputs);
});

test("a secret stays secret when it drifts", () => {
  expect(driftedInputs({ a: secret("x") }, { a: secret("x") }, { a: "y" })).toEqual({
    a: secret("y"),
  });
  expect(driftedInputs({ a: [secret("x")] }, { a: secret(["x"]) }, { a: ["x", "z"] })).toEqual({
    a: secret(["x", "z"]),
  });
});
