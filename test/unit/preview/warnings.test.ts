import { describe, expect, it } from "vitest";
import { changes } from "../../../preview/changes.ts";
import { traffic } from "../../../preview/traffic.ts";
import { warnings } from "../../../preview/warnings.ts";
import { digest, object, stackStep, step, weightStep } from "../../helpers/preview.ts";

const NOW = new Date("2026-11-24T12:00:00Z");

function warned(steps: readonly unknown[], config: Readonly<Record<string, unknown>> = {}) {
  const preview = digest(steps, { config });
  return warnings(preview, changes(preview), traffic(preview), NOW);
}

const both = (old: Record<string, number>, next: Record<string, number>) =>
  ["cluster-a", "cluster-b"].map((cluster) => weightStep(cluster, old, next));

const release = (cluster: string, inputs: Readonly<Record<string, unknown>>, op = "same") => {
  const all = { name: "istiod", namespace: "istio-system", ...inputs };
  const type = "kubernetes:helm.sh/v3:Release";
  return step({ op, type, name: `istio-${cluster}-istiod`, cluster, old: all, new: all });
};

const deployment = (op: string, cluster: string, image: string, name = "user-service-v1") => {
  const inputs = object("user", name, { template: { spec: { containers: [{ image }] } } });
  const type = "kubernetes:apps/v1:Deployment";
  return step({
    op,
    type,
    name: `${name}-${cluster}`,
    cluster,
    ...(op !== "create" && { old: inputs }),
    ...(op !== "delete" && { new: inputs }),
    ...(op === "replace" && { replaceReasons: ["spec.selector", "metadata.name"] }),
  });
};

describe("a warning", () => {
  it("is not given for the next phase, for going down, or for what stays", () => {
    expect(warned(both({ v1: 100, v2: 0 }, { v1: 90, v2: 10 }))).toEqual([]);
    expect(warned(both({ v1: 90, v2: 10 }, { v1: 70, v2: 30 }))).toEqual([]);
    expect(warned(both({ v1: 0, v2: 100 }, { v1: 100, v2: 0 }))).toEqual([]);
    expect(warned(both({ v1: 0, v2: 100 }, { v2: 100, v3: 0 }))).toEqual([]);
    expect(warned([])).toEqual([]);
  });

  it("names each phase that is skipped, in each cluster", () => {
    expect(warned([weightStep("cluster-a", { v1: 100, v2: 0 }, { v1: 0, v2: 100 })])).toEqual([
      "`user/user-service` v2 **skips a phase** in cluster-a: it goes from 0 % to 100 %, past 10 % and 30 %.",
    ]);
  });

  it("counts a canary that is new as one at 0 %", () => {
    expect(warned([weightStep("cluster-a", undefined, { v1: 70, v2: 30 })])).toEqual([
      "`user/user-service` v2 **skips a phase** in cluster-a: it goes from 0 % to 30 %, past 10 %.",
    ]);
  });

  it("goes by the stack's own phases, and by the default ones where those are invalid", () => {
    const steps = both({ v1: 100, v2: 0 }, { v1: 50, v2: 50 });
    const phases = (text: string) => ({ "istio-canary:phases": text });
    expect(warned(steps, phases("[50, 100]"))).toEqual([]);
    expect(warned(steps, phases("[20, 10]"))).toHaveLength(2);
    expect(warned(steps, phases("ten"))).toHaveLength(2);
  });

  it("is given for clusters that would split differently", () => {
    const steps = [
      weightStep("cluster-a", { v1: 100, v2: 0 }, { v1: 90, v2: 10 }),
      stackStep({
        clusters: { "cluster-b": { traffic: { "user/user-service": { v1: 100, v2: 0 } } } },
      }),
    ];
    expect(warned(steps)).toEqual([
      "`user/user-service` has **different shares**: v1 90 % / v2 10 % in cluster-a and v1 100 % / v2 0 % in cluster-b.",
    ]);
  });

  it("says of a cluster that is split differently on purpose that it is in quarantine", () => {
    const steps = [
      weightStep("cluster-a", { v1: 90, v2: 10 }, { v1: 70, v2: 30 }),
      weightStep("cluster-b", { v1: 100, v2: 0 }, { v1: 100, v2: 0 }),
    ];
    const config = { "istio-canary:quarantine": '["cluster-b"]' };
    expect(warned(steps, config)).toEqual([
      "cluster-b is in **quarantine**: by weight its clients get no canary. The canary's pods there still answer clients of other clusters.",
    ]);
  });

  it("says of a cluster that is left out that it is away", () => {
    const steps = [
      weightStep("cluster-a", { v1: 90, v2: 10 }, { v1: 70, v2: 30 }),
      stackStep({
        clusters: { "cluster-b": { traffic: { "user/user-service": { v1: 90, v2: 10 } } } },
      }),
    ];
    expect(warned(steps, { "istio-canary:away": '["cluster-b"]' })).toEqual([
      "cluster-b is **away**: nothing is changed there, and its clients are sent to the versions as they were.",
    ]);
  });

  it("is not given for phases that a cluster passes to join the others", () => {
    const steps = [
      weightStep("cluster-a", { v1: 70, v2: 30 }, { v1: 70, v2: 30 }),
      weightStep("cluster-b", { v1: 100, v2: 0 }, { v1: 70, v2: 30 }),
    ];
    expect(warned(steps)).toEqual([]);
  });

  it("names what is deleted and what is replaced, by cluster, with the reason", () => {
    expect(
      warned([
        deployment("delete", "cluster-b", "i"),
        deployment("replace", "cluster-a", "i"),
        deployment("delete", "cluster-b", "i", "other"),
      ]),
    ).toEqual([
      "2 resources are **deleted** in cluster-b: Deployment `user/other` and Deployment `user/user-service-v1`.",
      "1 resource is **deleted and recreated** in cluster-a: Deployment `user/user-service-v1` (because of `metadata.name`, `spec.selector`).",
    ]);
  });

  it("names no more than a few of many", () => {
    const many = Array.from({ length: 30 }, (_, i) =>
      deployment("delete", "cluster-a", "i", `d${i}`),
    );
    const [text] = warned(many);
    expect(text).toMatch(/^30 resources are \*\*deleted\*\* in cluster-a: .* and 20 more\.$/);
    expect(text?.match(/Deployment/g)).toHaveLength(10);
  });

  it("is given for Istio in different versions, from the charts and else from the outputs", () => {
    const text = "Istio has **different versions**: 1.31.0 in cluster-a and 1.30.2 in cluster-b.";
    const chart = { chart: "istiod", version: "1.31.0" };
    expect(
      warned([
        release("cluster-a", chart),
        release("cluster-b", { chart: "/charts/istiod-1.30.2.tgz" }),
      ]),
    ).toEqual([text]);
    const outputs = stackStep({
      clusters: {
        "cluster-a": { istioVersion: "1.30.0" },
        "cluster-b": { istioVersion: "1.30.2" },
      },
    });
    expect(warned([outputs, release("cluster-a", chart, "update")])).toEqual([text]);
    expect(warned([release("cluster-a", chart), release("cluster-b", chart)])).toEqual([]);
  });

  it("is given for Istio in different versions within one cluster", () => {
    expect(
      warned([
        release("cluster-a", { chart: "istiod", version: "1.31.0" }),
        release("cluster-a", { chart: "gateway", version: "1.30.2" }),
        release("cluster-a", { chart: "ingress-nginx", version: "4.0.0" }),
      ]),
    ).toEqual(["Istio has **different versions**: 1.30.2 and 1.31.0 in cluster-a."]);
  });

  it("is given for one Deployment with different images", () => {
    const image = (tag: string) => `registry.example.com/user-service:${tag}`;
    expect(
      warned([
        deployment("same", "cluster-a", image("v1")),
        deployment("create", "cluster-b", image("v1.1")),
      ]),
    ).toEqual([
      "Deployment `user/user-service-v1` runs **different images**: " +
        "`registry.example.com/user-service:v1` in cluster-a and `registry.example.com/user-service:v1.1` in cluster-b.",
    ]);
    // What goes away is compared with nothing.
    const [, ...more] = warned([
      deployment("same", "cluster-a", image("v1")),
      deployment("delete", "cluster-b", image("v0")),
    ]);
    expect(more).toEqual([]);
  });

  it("is given for authorities that end within 30 days, unless they are renewed", () => {
    const outputs = stackStep({
      rootCaExpires: "2026-12-01T00:00:00.000Z",
      clusters: {
        "cluster-a": { caExpires: "2026-12-24T11:59:59.000Z" },
        "cluster-b": { caExpires: "2026-12-24T12:00:01.000Z" },
        "cluster-c": { caExpires: "2026-11-25T00:00:00.000Z" },
      },
    });
    const renewal = step({
      op: "update",
      type: "pulumi-nodejs:istio-canary:Certificate",
      name: "certificates-cluster-c",
      old: { rotation: "1" },
      new: { rotation: "2" },
    });
    expect(warned([outputs, renewal])).toEqual([
      "The root certificate of the mesh **expires on 2026-12-01**.",
      "The certificate authority of cluster-a **expires on 2026-12-24**: change certificates.rotation, or provide a new certificate.",
    ]);
  });
});
