import { ApiException, type V1Pod } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import type { Exclusion } from "../../../lib/who-counts.ts";
import { exclusionWarnings } from "../../../stacks/excluded-sidecars.ts";
import { settings } from "../../helpers/fixtures.ts";

const APP = { app: "user-service" };
const FIX = "Name fewer sidecars in safety.exclude, if these route to the services.";

/** A pod with a proxy: beside a container, or alone as a gateway. */
const podOf = (namespace: string, name: string, labels: object, alone = false): V1Pod => ({
  metadata: { namespace, name, labels: labels as Record<string, string> },
  spec: { containers: [{ name: "istio-proxy" }, ...(alone ? [] : [{ name: "app" }])] },
});
const gateway = podOf("istio-system", "gateway", {}, true);
const own = [podOf("user", "v1", APP), podOf("user", "v2", APP)];
const others = podOf("shop", "web", { app: "web" });

interface Situation {
  readonly pods?: readonly V1Pod[] | Error;
  /** The Service's selector; null where there is no such Service. */
  readonly selector?: Readonly<Record<string, string>> | null;
}

/** What is told of a cluster that has these pods. */
async function told(
  exclude: readonly Exclusion[],
  { pods = [gateway, ...own, others], selector = APP }: Situation = {},
): Promise<readonly string[]> {
  const cluster = {
    name: "cluster-a",
    podsWithProxy: () => (pods instanceof Error ? Promise.reject(pods) : Promise.resolve(pods)),
    core: {
      readNamespacedService: () =>
        selector
          ? Promise.resolve({ spec: { selector } })
          : Promise.reject(new ApiException(404, "", {}, {})),
    },
  } as unknown as ClusterClient;
  const { services, safety } = settings();
  return exclusionWarnings({ services, safety: { ...safety, exclude: [...exclude] } }, [cluster]);
}

describe("safety.exclude", () => {
  it("is not told of where sidecars of each service count", async () => {
    expect(await told([{ namespace: "shop" }])).toEqual([]);
    expect(await told([{ namespace: "elsewhere" }], { pods: [gateway] })).toEqual([]);
  });

  it("asks nothing where it names nobody", async () => {
    expect(await told([], { pods: new Error("asked") })).toEqual([]);
  });

  it("is told of where it names all sidecars of a service", async () => {
    expect(await told([{ labels: APP }])).toEqual([
      `cluster-a: safety.exclude names all 2 sidecars of user/user-service, so only gateways and others' sidecars confirm its weight there. ${FIX}`,
    ]);
    expect(await told([{ labels: APP }], { pods: [...own.slice(1), others] })).toEqual([
      `cluster-a: safety.exclude names the only sidecar of user/user-service, so only gateways and others' sidecars confirm its weight there. ${FIX}`,
    ]);
  });

  it("is told of where only gateways are left", async () => {
    expect(await told([{ namespace: "shop" }, { namespace: "user" }])).toEqual([
      `cluster-a: safety.exclude names all 3 sidecars, so only gateways confirm a weight of user/user-service there. ${FIX}`,
    ]);
    expect(await told([{ namespace: "shop" }], { pods: [gateway, others] })).toEqual([
      `cluster-a: safety.exclude names the only sidecar, so only gateways confirm a weight of user/user-service there. ${FIX}`,
    ]);
  });

  it("goes by the Service for whose sidecars they are", async () => {
    const exclude = [{ namespace: "user" }];
    const elsewhere = podOf("shop", "user-service", APP);
    expect(await told(exclude, { pods: [...own, elsewhere] })).toHaveLength(1);
    expect(await told(exclude, { selector: { app: "other" } })).toEqual([]);
    expect(await told(exclude, { selector: {} })).toEqual([]);
    expect(await told(exclude, { selector: null })).toEqual([]);
  });

  it("says where that is not known", async () => {
    expect(await told([{ labels: APP }], { pods: new Error("no answer") })).toEqual([
      "cluster-a: whether safety.exclude names all sidecars of a service is not known: no answer",
    ]);
  });
});
