import { describe, expect, it } from "vitest";
import { traffic } from "../../../preview/traffic.ts";
import { digest, routes, stackStep, step, weightStep } from "../../helpers/preview.ts";

const outputs = (...clusters: readonly string[]) =>
  stackStep({
    clusters: Object.fromEntries(
      clusters.map((cluster) => [
        cluster,
        { traffic: { "user/user-service": { v1: 90, v2: 10 } } },
      ]),
    ),
  });
const brief = (...steps: readonly unknown[]) =>
  traffic(digest(steps)).map(
    ({ cluster, version, before, after }) => `${cluster} ${version} ${before} ${after}`,
  );

describe("the shares before and after", () => {
  it("are those of the VirtualServices that change", () => {
    const change = (cluster: string) => weightStep(cluster, { v1: 90, v2: 10 }, { v1: 70, v2: 30 });
    expect(brief(change("cluster-b"), change("cluster-a"))).toEqual([
      "cluster-a v1 90 70",
      "cluster-a v2 10 30",
      "cluster-b v1 90 70",
      "cluster-b v2 10 30",
    ]);
  });

  it("are those of the outputs where the VirtualService stays as it is", () => {
    const change = weightStep("cluster-a", { v1: 90, v2: 10 }, { v1: 70, v2: 30 });
    expect(brief(outputs("cluster-a", "cluster-b"), change)).toEqual([
      "cluster-a v1 90 70",
      "cluster-a v2 10 30",
      "cluster-b v1 90 90",
      "cluster-b v2 10 10",
    ]);
  });

  it("have no before at the first installation, and no after when the service is removed", () => {
    expect(brief(weightStep("cluster-a", undefined, { v1: 100, v2: 0 }))).toEqual([
      "cluster-a v1 undefined 100",
      "cluster-a v2 undefined 0",
    ]);
    expect(
      brief(outputs("cluster-a"), weightStep("cluster-a", { v1: 90, v2: 10 }, undefined)),
    ).toEqual(["cluster-a v1 90 undefined", "cluster-a v2 10 undefined"]);
  });

  it("name the versions of both sides when one takes the other's place", () => {
    expect(brief(weightStep("cluster-a", { v1: 0, v2: 100 }, { v2: 100, v3: 0 }))).toEqual([
      "cluster-a v1 0 undefined",
      "cluster-a v2 100 100",
      "cluster-a v3 undefined 0",
    ]);
  });

  it("are 100 % for a service with one version, which needs no weight", () => {
    const only = {
      metadata: { name: "user-service", namespace: "user" },
      spec: { http: [{ route: [{ destination: { subset: "v1" } }] }] },
    };
    const type = "kubernetes:networking.istio.io/v1:VirtualService";
    expect(
      brief(step({ op: "same", type, name: "w", cluster: "cluster-a", old: only, new: only })),
    ).toEqual(["cluster-a v1 100 100"]);
  });

  it("know the canary as the last version of the route, whatever it is called", () => {
    const shares = traffic(digest([weightStep("cluster-a", undefined, { v2: 70, v1: 30 })]));
    expect(shares.filter(({ isCanary }) => isCanary).map(({ version }) => version)).toEqual(["v1"]);
  });

  it("take nothing from other kinds of resources", () => {
    const type = "kubernetes:networking.istio.io/v1:DestinationRule";
    expect(
      brief(step({ op: "create", type, name: "r", cluster: "cluster-a", new: routes({ v1: 1 }) })),
    ).toEqual([]);
  });
});
