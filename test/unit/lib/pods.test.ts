import { describe, expect, it } from "vitest";
import { podDifferences, podsOf, type Pods } from "../../../lib/pods.ts";

const image = "registry.example.com/user-service:v1";

describe("what a version's container is", () => {
  it("is the service's, with the version's own variables over it", () => {
    const service = {
      name: "user-service",
      env: { A: "1", B: "1" },
      args: ["--a"],
      resources: { requests: { cpu: "1" } },
    };
    expect(podsOf(service, { image })).toEqual({
      image,
      env: { A: "1", B: "1" },
      args: ["--a"],
      resources: { "requests.cpu": "1" },
    });
    const own = { image, env: { B: "2" }, args: [], resources: { limits: { memory: "1Gi" } } };
    expect(podsOf(service, own)).toEqual({
      image,
      env: { A: "1", B: "2" },
      args: [],
      resources: { "limits.memory": "1Gi" },
    });
  });

  it("has what the user's template says of it over all, and is known by that template", () => {
    const template = {
      spec: {
        containers: [
          {
            name: "user-service",
            env: [
              { name: "B", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
              { name: "C", value: "3" },
            ],
            args: ["--b"],
          },
          { name: "proxy", image: "proxy:1", args: ["--c"] },
        ],
      },
    };
    const service = { name: "user-service", env: { A: "1", B: "1" }, args: ["--a"], template };
    const found = podsOf(service, { image });
    expect(found).toMatchObject({
      env: { A: "1", B: { secretKeyRef: { name: "db", key: "password" } }, C: "3" },
      args: ["--b"],
      resources: { "requests.cpu": "100m" },
    });
    const other = { ...template, metadata: { annotations: { a: "b" } } };
    const changed = podsOf({ ...service, template: other }, { image });
    expect(podDifferences(found, found)).toEqual([]);
    expect(podDifferences(found, changed)).toEqual([{ key: "template" }]);
    expect(
      podDifferences(podsOf({ ...service, template: undefined }, { image }), found),
    ).toContainEqual({ key: "template" });
  });

  it("has the program's resources where nobody says any", () => {
    expect(podsOf({ name: "user-service" }, { image }).resources).toEqual({
      ...{ "requests.cpu": "100m", "requests.memory": "128Mi", "limits.memory": "256Mi" },
    });
  });
});

describe("a change of a version's container", () => {
  const pods = (more: Partial<Pods> = {}): Pods => ({
    ...{ image, env: { A: "1" }, args: ["--a"], resources: { "requests.cpu": "1" } },
    ...more,
  });

  it.each<[string, Partial<Pods>, readonly object[]]>([
    ["its image", { image: "other:1" }, [{ key: "image" }]],
    ["the value of a variable", { env: { A: "2" } }, [{ key: "env", names: ["A"] }]],
    ["a variable more", { env: { A: "1", B: "" } }, [{ key: "env", names: ["B"] }]],
    ["a variable less", { env: {} }, [{ key: "env", names: ["A"] }]],
    ["an argument more", { args: ["--a", "--b"] }, [{ key: "args" }]],
    ["no argument", { args: [] }, [{ key: "args" }]],
    [
      "more of a resource",
      { resources: { "requests.cpu": "1001m" } },
      [{ key: "resources", names: ["requests.cpu"] }],
    ],
    ["a resource less", { resources: {} }, [{ key: "resources", names: ["requests.cpu"] }]],
    ["nothing", {}, []],
  ])("is %s", (_, to, differences) => {
    expect(podDifferences(pods(), pods(to))).toEqual(differences);
  });

  it.each([
    ["1", "1000m"],
    ["512Mi", "0.5Gi"],
    ["1100M", "1.1G"],
    ["100m", "0.1"],
    ["1k", "1e3"],
    ["128974848", "123Mi"],
  ])("is not that an API server writes %s for %s", (there, to) => {
    const deployed = pods({ resources: { "limits.memory": there } });
    expect(podDifferences(deployed, pods({ resources: { "limits.memory": to } }))).toEqual([]);
  });

  it.each([
    ["1", "1m"],
    ["1G", "1Gi"],
    ["much", "more"],
  ])("is that %s becomes %s", (there, to) => {
    const deployed = pods({ resources: { "limits.memory": there } });
    expect(podDifferences(deployed, pods({ resources: { "limits.memory": to } }))).toHaveLength(1);
  });

  it("is not what API servers add to the source of a variable", () => {
    const source = { fieldRef: { fieldPath: "status.podIP" } };
    const there = { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } };
    expect(podDifferences(pods({ env: { IP: there } }), pods({ env: { IP: source } }))).toEqual([]);
    const other = { fieldRef: { fieldPath: "status.hostIP" } };
    expect(podDifferences(pods({ env: { IP: there } }), pods({ env: { IP: other } }))).toEqual([
      { key: "env", names: ["IP"] },
    ]);
  });

  it("is not what somebody else has written, which an update leaves alone", () => {
    const theirs = pods({
      image: undefined,
      env: { A: undefined, THEIRS: undefined },
      args: undefined,
      resources: { "requests.cpu": undefined, "limits.cpu": undefined },
    });
    expect(podDifferences(theirs, pods())).toEqual([]);
    expect(podDifferences(theirs, pods({ env: { A: "1", NEW: "1" } }))).toEqual([
      { key: "env", names: ["NEW"] },
    ]);
  });
});
