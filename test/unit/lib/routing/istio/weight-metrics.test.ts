import { expect, it } from "vitest";
import { canaryRouteObjects, type CanaryRouting } from "../../../../../components/canary-route.ts";
import { WEIGHT_METRICS } from "../../../../../lib/routing/istio/weight-metrics.ts";

/** The value at a path, as kube-state-metrics finds it: negative indices count from a list's end. */
function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce(
    (found, part) =>
      Array.isArray(found)
        ? (found.at(Number(part)) as unknown)
        : (found as Readonly<Record<string, unknown>> | undefined)?.[part],
    value,
  );
}

const shop = { service: "shop", namespace: "user", stable: "v1", canary: "v2", weight: 10 };

/** The series that kube-state-metrics makes of a service's VirtualService. */
function seriesOf(args: CanaryRouting) {
  const route = canaryRouteObjects(args).weights;
  const [resource] = WEIGHT_METRICS.spec.resources;
  const [metric] = resource?.metrics ?? [];
  if (!resource || !metric) throw new Error("it serves nothing");
  const { group, version, kind } = resource.groupVersionKind;
  expect(route).toMatchObject({ apiVersion: `${group}/${version}`, kind });
  const labels = (paths: Readonly<Record<string, readonly string[]>>, from: unknown) =>
    Object.fromEntries(Object.entries(paths).map(([label, path]) => [label, at(from, path)]));
  const { path, labelsFromPath, valueFrom } = metric.each.gauge;
  return (at(route, path) as unknown[]).map((element) => ({
    ...labels(resource.labelsFromPath, route),
    ...labels(labelsFromPath, element),
    value: at(element, valueFrom),
  }));
}

it("kube-state-metrics finds in a VirtualService the versions and their weights", () => {
  const both = {
    destination_service_namespace: "user",
    destination_service_name: "shop",
    stable_version: "v1",
    canary_version: "v2",
    stable_subset: "v1",
    canary_subset: "v2",
  };
  expect(seriesOf({ ...shop, matches: [{ header: { "x-canary": "true" } }] })).toEqual([
    { ...both, destination_version: "v1", value: 90 },
    { ...both, destination_version: "v2", value: 10 },
  ]);
});

it("kube-state-metrics finds which subsets are the versions'", () => {
  const both = { stable_subset: "v1", canary_version: "2.0", canary_subset: "2-0-d84bdb34" };
  expect(seriesOf({ ...shop, canary: "2.0" })).toMatchObject([
    { ...both, destination_version: "v1" },
    { ...both, destination_version: "2-0-d84bdb34" },
  ]);
});

it.each(["entry", "follower"] as const)(
  "kube-state-metrics finds that a service is the %s of a chain",
  (role) => {
    const mark = { header: "x-istio-canary", testers: [] };
    const series = seriesOf({ ...shop, chain: { role, mark, members: [] } });
    expect(series).toMatchObject([
      { chain_role: role, destination_version: "v1", value: role === "entry" ? 90 : 100 },
      { chain_role: role, destination_version: "v2", value: role === "entry" ? 10 : 0 },
    ]);
  },
);
