import fc from "fast-check";
import { expect, test } from "vitest";
import {
  fieldManagerOf,
  idOf,
  kindOf,
  parseId,
  parseUrn,
  previewOfCreation,
  stateOf,
  toSdkKeys,
  toServerKeys,
  withoutServerFields,
} from "../../standins/kubernetes-provider/objects.ts";
import { plain, secret, UNKNOWN, type Fields } from "../../standins/kubernetes-provider/values.ts";

const URN = "urn:pulumi:lab::mesh::my:Mesh$kubernetes:core/v1:Secret::a::b";

test("an URN gives the resource's own type and its whole name", () => {
  expect(parseUrn(URN)).toEqual({ text: URN, type: "kubernetes:core/v1:Secret", name: "a::b" });
});

test("types give API versions; the core group has none", () => {
  expect(kindOf("kubernetes:core/v1:Secret")).toEqual({ apiVersion: "v1", kind: "Secret" });
  expect(kindOf("kubernetes:apps/v1:Deployment")).toEqual({
    apiVersion: "apps/v1",
    kind: "Deployment",
  });
});

test("ids name the namespace if there is one, and are read back", () => {
  expect(idOf({ namespace: "", name: "web" })).toBe("web");
  const label = fc.stringMatching(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
  fc.assert(
    fc.property(label, fc.oneof(label, fc.constant("")), (name, namespace) => {
      expect(parseId(idOf({ namespace, name }))).toEqual({ namespace, name });
    }),
  );
});

test("a resource has the same field manager in every update, and no other resource has it", () => {
  const manager = fieldManagerOf(parseUrn(URN));
  expect(manager).toMatch(/^pulumi-kubernetes-[0-9a-f]{8}$/);
  expect(fieldManagerOf(parseUrn(URN))).toBe(manager);
  expect(fieldManagerOf(parseUrn(`${URN}x`))).not.toBe(manager);
});

test("the SDK's spelling of x-kubernetes keys is translated both ways", () => {
  const sdk: Fields = { a: [{ x_kubernetes_list_type: "map", my_key: 1 }] };
  expect(toServerKeys(sdk)).toEqual({ a: [{ "x-kubernetes-list-type": "map", my_key: 1 }] });
  expect(toSdkKeys(toServerKeys(sdk))).toEqual(sdk);
});

test("what the server sets is no input", () => {
  expect(
    withoutServerFields({
      kind: "Service",
      metadata: { name: "web", uid: "1", resourceVersion: "2", managedFields: [], generation: 1 },
      status: {},
    }),
  ).toEqual({ kind: "Service", metadata: { name: "web" } });
});

test("a Secret's data is secret in the state, and so is kubectl's copy of it", () => {
  const copy = "kubectl.kubernetes.io/last-applied-configuration";
  const live: Fields = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", managedFields: [], annotations: { [copy]: "{…}", other: "1" } },
    data: { token: "eA==" },
  };
  const state = stateOf(live, { stringData: secret({ token: "x" }) }, "manager");
  expect(state).toMatchObject({
    data: secret({ token: "eA==" }),
    metadata: { name: "s", annotations: { [copy]: secret("{…}"), other: "1" } },
    __fieldManager: "manager",
    __initialApiVersion: "v1",
  });
  expect(state["metadata"]).not.toHaveProperty("managedFields");
});

test("a preview of a creation does not promise what only the creation decides", () => {
  const inputs: Fields = {
    kind: "Service",
    metadata: { name: "web" },
    spec: { ports: [{ port: 80 }] },
  };
  const dryRun: Fields = {
    ...inputs,
    metadata: { name: "web", uid: "1", creationTimestamp: "now" },
    spec: { ports: [{ port: 80, nodePort: 30000 }], clusterIP: "10.0.0.1", type: "NodePort" },
    status: { loadBalancer: {} },
  };
  expect(previewOfCreation(dryRun, inputs)).toMatchObject({
    metadata: { name: "web", uid: UNKNOWN, creationTimestamp: UNKNOWN },
    spec: { ports: [{ port: 80 }], clusterIP: UNKNOWN, type: "NodePort" },
    status: UNKNOWN,
  });
});

test("an address that was asked for is known in the preview", () => {
  const inputs: Fields = { kind: "Service", spec: { clusterIP: "10.0.0.9" } };
  expect(plain(previewOfCreation(inputs, inputs))["spec"]).toEqual({ clusterIP: "10.0.0.9" });
});
