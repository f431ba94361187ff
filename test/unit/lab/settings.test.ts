import path from "node:path";
import { describe, expect, it } from "vitest";
import { labSettings } from "../../../lab/settings.ts";

const checkout = path.resolve(import.meta.dirname, "../../..");

describe("settings of the lab", () => {
  it("are two clusters with networks and pod ranges of their own, unless told otherwise", () => {
    const { clusters, serviceCidr, dir } = labSettings(checkout, {});
    expect(clusters).toEqual([
      {
        name: "cluster-a",
        index: 0,
        network: "network-a",
        nodeName: "cluster-a-node",
        podCidr: "10.201.0.0/16",
        serviceCidr: "10.96.0.0/16",
        dir: path.join(dir, "clusters/cluster-a"),
      },
      {
        name: "cluster-b",
        index: 1,
        network: "network-b",
        nodeName: "cluster-b-node",
        podCidr: "10.202.0.0/16",
        serviceCidr: "10.96.0.0/16",
        dir: path.join(dir, "clusters/cluster-b"),
      },
    ]);
    expect(serviceCidr).toBe("10.96.0.0/16");
  });

  it("take a third cluster by its name alone", () => {
    const { clusters } = labSettings(checkout, { LAB_CLUSTERS: "cluster-a, cluster-b,edge" });
    expect(clusters[2]).toMatchObject({
      name: "edge",
      network: "edge-network",
      podCidr: "10.203.0.0/16",
    });
  });

  it("give each checkout an id of its own, always the same", () => {
    const { id } = labSettings(checkout, {});
    expect(id).toMatch(/^[0-9a-f]{6}$/);
    expect(labSettings(checkout, {}).id).toBe(id);
    expect(labSettings("/usr", {}).id).not.toBe(id);
  });

  it("name every wrong variable with its value", () => {
    expect(() => labSettings(checkout, { LAB_CLUSTERS: "a,a", LAB_NODE_CIDR: "10.0.0.0" })).toThrow(
      "Settings of the lab are wrong:\n" +
        ' - LAB_CLUSTERS: must not name a cluster twice, got "a,a"\n' +
        ' - LAB_NODE_CIDR: must be an IPv4 range such as 10.96.0.0/16, got "10.0.0.0"',
    );
  });

  it.each([
    { LAB_NODE_CIDR: "10.202.3.0/24" },
    { LAB_POD_CIDR: "10.96.0.0/16" },
    { LAB_SERVICE_CIDR: "10.200.0.0/14" },
  ])("refuse ranges that overlap: %o", (env) => {
    expect(() => labSettings(checkout, env)).toThrow("overlaps with another one of the lab");
  });
});
