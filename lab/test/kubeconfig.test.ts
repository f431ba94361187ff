import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { kubeconfig, mergeKubeconfigs, stringifyKubeconfig } from "../clusters/kubeconfig.ts";

const one = (name: string) =>
  kubeconfig({ name, server: `https://${name}:6443`, ca: "ca", certificate: "crt", key: "key" });

describe("a kubeconfig", () => {
  it("calls cluster, user and context by the cluster's name", () => {
    expect(load(stringifyKubeconfig(one("cluster-a")))).toEqual({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "cluster-a",
      clusters: [
        {
          name: "cluster-a",
          cluster: { server: "https://cluster-a:6443", "certificate-authority-data": "Y2E=" },
        },
      ],
      users: [
        {
          name: "cluster-a",
          user: { "client-certificate-data": "Y3J0", "client-key-data": "a2V5" },
        },
      ],
      contexts: [{ name: "cluster-a", context: { cluster: "cluster-a", user: "cluster-a" } }],
    });
  });

  it("of several clusters has a context for each and begins with the first", () => {
    const merged = mergeKubeconfigs(["cluster-a", "cluster-b", "cluster-c"].map(one));
    expect(merged["current-context"]).toBe("cluster-a");
    expect(merged.contexts.map(({ name }) => name)).toEqual([
      "cluster-a",
      "cluster-b",
      "cluster-c",
    ]);
    expect(merged.clusters).toHaveLength(3);
    expect(merged.users).toHaveLength(3);
  });
});
