import fc from "fast-check";
import { expect, test } from "vitest";
import {
  changesBetween,
  replacedBy,
  samePlace,
  withoutIgnored,
} from "../../standins/kubernetes-provider/diff.ts";
import { secret, UNKNOWN, type Fields } from "../../standins/kubernetes-provider/values.ts";
import { anyObject } from "./json.ts";

const MUTABLE = { configMaps: true, secrets: true };
const DEFAULTS = { configMaps: false, secrets: false };

test("an object does not differ from itself", () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      expect(changesBetween(object, structuredClone(object)).size).toBe(0);
    }),
  );
});

test("changes are named by the path of each leaf", () => {
  const route = (weights: number[]) => ({
    http: [{ route: weights.map((weight) => ({ weight })) }],
  });
  expect(
    changesBetween({ spec: route([90, 10]) }, { spec: route([70, 30, 0]), extra: true }),
  ).toEqual(
    new Map([
      ["spec.http[0].route[0].weight", "UPDATE"],
      ["spec.http[0].route[1].weight", "UPDATE"],
      ["spec.http[0].route[2]", "ADD"],
      ["extra", "ADD"],
    ]),
  );
});

test("keys that are no words are quoted", () => {
  expect(
    changesBetween({ metadata: { labels: { "a/b": "1" } } }, { metadata: { labels: {} } }),
  ).toEqual(new Map([['metadata.labels["a/b"]', "DELETE"]]));
});

test("secrets are compared by what they hold", () => {
  expect(changesBetween({ a: secret("x") }, { a: "x" }).size).toBe(0);
  expect(changesBetween({ a: secret({ b: "x" }) }, { a: secret({ b: "y" }) })).toEqual(
    new Map([["a.b", "UPDATE"]]),
  );
});

test("a value that is not known yet counts as changed", () => {
  expect(changesBetween({ a: { b: 1 } }, { a: UNKNOWN })).toEqual(new Map([["a", "UPDATE"]]));
});

test("ignored paths, and what lies below them, are left out", () => {
  const changes = changesBetween(
    { spec: { replicas: 1, replicasMax: 1, list: [1] } },
    { spec: { replicas: 2, replicasMax: 2, list: [2] } },
  );
  expect([...withoutIgnored(changes, ["spec.replicas", "spec.list"]).keys()]).toEqual([
    "spec.replicasMax",
  ]);
});

const replaced = (path: string, kind: string, mutability = DEFAULTS, immutable?: boolean) =>
  replacedBy(new Map([[path, "UPDATE" as const]]), { kind, immutable }, mutability).length > 0;

test.each([
  ["metadata.name", "Anything"],
  ["metadata.namespace", "Anything"],
  ["spec.selector.matchLabels.app", "Deployment"],
  ["spec.clusterIP", "Service"],
  ["roleRef.name", "ClusterRoleBinding"],
  ["type", "Secret"],
  ["data.key", "ConfigMap"],
  ["stringData.key", "Secret"],
])("a change of %s replaces a %s", (path, kind) => {
  expect(replaced(path, kind)).toBe(true);
});

test.each([
  ["metadata.labels.app", "Deployment"],
  ["spec.template.spec.containers[0].image", "Deployment"],
  ["spec.selector.app", "Service"],
  ["spec.http[0].route[0].weight", "VirtualService"],
])("a change of %s is made in place in a %s", (path, kind) => {
  expect(replaced(path, kind)).toBe(false);
});

test("ConfigMaps and Secrets change in place if the provider says so", () => {
  expect(replaced("data.key", "ConfigMap", MUTABLE)).toBe(false);
  expect(replaced("data.key", "Secret", MUTABLE)).toBe(false);
  expect(replaced("type", "Secret", MUTABLE)).toBe(true);
});

// forceNewProperties in provider/pkg/provider/diff.go of the official provider.
test("those that say immutable are replaced all the same, and by their content alone", () => {
  expect(replaced("data.key", "ConfigMap", MUTABLE, true)).toBe(true);
  expect(replaced("binaryData.key", "ConfigMap", MUTABLE, true)).toBe(true);
  expect(replaced("stringData.key", "Secret", MUTABLE, true)).toBe(true);
  expect(replaced("data.key", "Secret", MUTABLE, false)).toBe(false);
  expect(replaced("immutable", "ConfigMap", DEFAULTS, true)).toBe(false);
});

test("an object stands in the new one's place if name and namespace are the same", () => {
  const object = (name: string, namespace?: string): Fields => ({ metadata: { name, namespace } });
  expect(samePlace(object("a", "x"), object("a", "x"))).toBe(true);
  expect(samePlace(object("a", "x"), object("a", "y"))).toBe(false);
  expect(samePlace(object("a"), object("b"))).toBe(false);
});
