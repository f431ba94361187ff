import type { V1Container, V1Deployment } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { podsIn } from "../../../fleet/read-pods.ts";

const container: V1Container = {
  name: "cart",
  image: "cart:v1",
  args: ["--port=8080"],
  env: [
    { name: "LEVEL", value: "info" },
    { name: "EMPTY" },
    { name: "IP", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } } },
    { name: "SERVICE_VERSION", value: "v1" },
    { name: "CLUSTER_NAME", value: "cluster-a" },
  ],
  resources: { requests: { cpu: "100m" }, limits: { memory: "1Gi", "example.com/gpu": "1" } },
};

/** @param managers the fields of the container that each field manager owns */
function deployment(managers: Readonly<Record<string, object>> = {}): V1Deployment {
  return {
    metadata: {
      managedFields: Object.entries(managers).map(([manager, fields]) => {
        const containers = { "f:containers": { 'k:{"name":"cart"}': fields } };
        const spec = { "f:template": { "f:spec": containers } };
        return { manager, fieldsV1: { "f:spec": spec } };
      }),
    },
    spec: {
      selector: {},
      template: { spec: { containers: [{ name: "other", image: "other:1" }, container] } },
    },
  };
}

const all = {
  image: "cart:v1",
  args: ["--port=8080"],
  env: {
    LEVEL: "info",
    EMPTY: "",
    IP: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } },
  },
  resources: { "requests.cpu": "100m", "limits.memory": "1Gi", "limits.example.com/gpu": "1" },
};

describe("the container of a Deployment", () => {
  it("is read without the program's own variables", () => {
    expect(podsIn(deployment(), "cart")).toEqual(all);
    expect(podsIn(deployment(), "shop")).toBeUndefined();
    expect(podsIn({}, "cart")).toBeUndefined();
  });

  it("counts as far as Pulumi has written it, and nobody has taken it over", () => {
    const variable = (name: string, field = "f:value") => ({
      [`k:${JSON.stringify({ name })}`]: { "f:name": {}, [field]: {} },
    });
    const pulumi = {
      "f:env": { ...variable("EMPTY"), ...variable("IP", "f:valueFrom"), ...variable("LEVEL", "") },
      "f:resources": { "f:limits": { "f:memory": {}, "f:example.com/gpu": {} } },
    };
    const kubectl = {
      "f:image": {},
      "f:args": {},
      "f:env": variable("LEVEL"),
      "f:resources": { "f:requests": { "f:cpu": {} } },
    };
    const found = podsIn(deployment({ "pulumi-kubernetes-1": pulumi, kubectl }), "cart");
    expect(found).toEqual({
      image: undefined,
      args: undefined,
      env: { ...all.env, LEVEL: undefined },
      resources: { ...all.resources, "requests.cpu": undefined },
    });
    expect(podsIn(deployment({ kubectl }), "cart")).toEqual(all);
  });

  it("has no arguments if it says none", () => {
    const { metadata } = deployment({ "pulumi-kubernetes-1": { "f:image": {} } });
    const containers = [{ name: "cart", image: "cart:v1" }];
    const spec = { selector: {}, template: { spec: { containers } } };
    expect(podsIn({ ...(metadata && { metadata }), spec }, "cart")).toEqual({
      ...{ image: "cart:v1", args: [], env: {}, resources: {} },
    });
  });
});

describe("the template of the user's", () => {
  it("is known by the Deployment's annotation", () => {
    const { spec } = deployment();
    const annotations = { "istio-canary/template": "1a2b" };
    const templated: V1Deployment = { metadata: { annotations }, ...(spec && { spec }) };
    expect(podsIn(templated, "cart")?.template).toBe("1a2b");
    expect(podsIn(deployment(), "cart")).not.toHaveProperty("template");
  });
});

describe("what a version reads", () => {
  const variable = (key: string, name: string) => ({
    name: key,
    valueFrom: { secretKeyRef: { name, key } },
  });
  const reading = (annotations: Record<string, string>): V1Deployment => ({
    metadata: { name: "cart-v1", annotations },
    spec: {
      selector: {},
      template: {
        spec: {
          containers: [
            Object.assign({}, container, {
              env: [variable("PASSWORD", "cart-v1-1a2b"), variable("KEY", "theirs")],
            }),
          ],
        },
      },
    },
  });
  const theirs = { KEY: { secretKeyRef: { name: "theirs", key: "KEY" } } };

  it("is known by the Deployment's annotations, and its variables are none of env", () => {
    const annotations = {
      "istio-canary/files": "1a",
      "istio-canary/secret-files": "2b",
      "istio-canary/secret-env": "3c",
    };
    const found = podsIn(reading(annotations), "cart");
    expect(found).toMatchObject({ files: "1a", secretFiles: "2b", secretEnv: "3c" });
    expect(found?.env).toEqual(theirs);
  });

  it("is nothing where no annotation tells, and every variable is one of env", () => {
    const found = podsIn(reading({}), "cart");
    expect(Object.keys(found?.env ?? {})).toEqual(["PASSWORD", "KEY"]);
    expect(found).not.toHaveProperty("secretEnv");
  });
});
