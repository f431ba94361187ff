import { describe, expect, it } from "vitest";
import { changes } from "../../../preview/changes.ts";
import { digest, object, stackStep, step, weightStep } from "../../helpers/preview.ts";

const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const deployment = (op: string, name: string, more: object = {}) =>
  step({
    op,
    type: DEPLOYMENT,
    name,
    cluster: "cluster-a",
    old: object("user", name, { replicas: 1 }),
    new: object("user", name, { replicas: 2 }),
    ...more,
  });

describe("the changes of a preview", () => {
  it("are those of resources, not of components, and not what stays or is only read", () => {
    expect(
      changes(
        digest([
          stackStep({}),
          deployment("same", "a"),
          deployment("read", "b"),
          deployment("refresh", "c"),
          deployment("create", "component", { custom: false }),
          deployment("create", "d"),
        ]),
      ).map(({ action, name }) => `${action} ${name}`),
    ).toEqual(["create user/d"]);
  });

  it("come with what is lost first, then by kind and name", () => {
    const steps = [
      deployment("create", "z"),
      deployment("create", "a"),
      weightStep("cluster-a", { v1: 100 }, { v1: 90, v2: 10 }),
      deployment("replace", "r"),
      deployment("delete", "y"),
    ];
    const order = [
      "delete user/y",
      "replace user/r",
      "change user/user-service",
      "create user/a",
      "create user/z",
    ];
    for (const some of [steps, steps.toReversed()]) {
      expect(changes(digest(some)).map(({ action, name }) => `${action} ${name}`)).toEqual(order);
    }
  });

  it("take old values from the inputs where inputs are compared, else from what is deployed", () => {
    const [change] = changes(
      digest([
        {
          ...deployment("update", "a", { diff: { "spec.replicas": true, "spec.paused": false } }),
          oldState: {
            custom: true,
            type: DEPLOYMENT,
            inputs: object("user", "a", { replicas: 1 }),
            outputs: object("user", "a", { replicas: 7, paused: true }),
          },
        },
      ]),
    );
    expect(change?.properties).toEqual([
      { path: "spec.paused", old: true, new: undefined },
      { path: "spec.replicas", old: 1, new: 2 },
    ]);
  });

  it("order indices as numbers", () => {
    const paths = ["spec.http[10].a", "spec.http[2].b", "spec.http[2]", "spec.http[2].a"];
    const diff = Object.fromEntries(paths.map((path) => [path, true]));
    const [change] = changes(digest([deployment("update", "a", { diff })]));
    expect(change?.properties.map(({ path }) => path)).toEqual([
      "spec.http[2]",
      "spec.http[2].a",
      "spec.http[2].b",
      "spec.http[10].a",
    ]);
  });

  it("name the properties that differ where the provider gives no details", () => {
    const [change] = changes(
      digest([
        step({
          op: "update",
          type: "pulumi-nodejs:istio-canary:Certificate",
          name: "certificates-cluster-a",
          old: { rotation: "1", days: 365, __provider: "code" },
          new: { rotation: "2", days: 365, __provider: "new code" },
        }),
      ]),
    );
    expect(change).toMatchObject({
      cluster: undefined,
      kind: "Certificate",
      name: "certificates-cluster-a",
      properties: [{ path: "rotation", old: "1", new: "2" }],
    });
  });

  it("tell a replacement once, whatever steps it is made of", () => {
    const steps = ["delete-replaced", "replace", "create-replacement"].map((op) =>
      deployment(op, "a", {
        ...(op === "delete-replaced" && { new: undefined }),
        diff: { "spec.replicas": true },
        replaceReasons: ["spec.selector"],
      }),
    );
    for (const some of [steps, steps.toReversed()]) {
      const found = changes(digest(some));
      expect(found).toHaveLength(1);
      expect(found[0]).toMatchObject({
        action: "replace",
        name: "user/a",
        properties: [{ path: "spec.replicas", old: 1, new: 2 }],
        reasons: ["spec.selector"],
      });
    }
  });
});
