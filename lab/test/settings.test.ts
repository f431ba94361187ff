import path from "node:path";
import { describe, expect, it } from "vitest";
import { labSettings } from "../settings.ts";

const checkout = path.resolve(import.meta.dirname, "../..");

describe("settings of the lab", () => {
  it("are two clusters with networks and pod ranges of their own, unless told otherwise", () => {
    const { clusters, serviceCidr, dir } = labSettings(checkout, {});
    expect(clusters).toEqual([
      {
        name: "cluster-a",
        index: 0,
        network: "network-a",
        nodes: [
          {
            name: "cluster-a-node",
            suffix: "",
            controlPlane: true,
            place: 0,
            podCidr: "10.201.0.0/16",
            dir: path.join(dir, "clusters/cluster-a"),
          },
        ],
        podCidr: "10.201.0.0/16",
        serviceCidr: "10.96.0.0/16",
        dir: path.join(dir, "clusters/cluster-a"),
      },
      {
        name: "cluster-b",
        index: 1,
        network: "network-b",
        nodes: [
          {
            name: "cluster-b-node",
            suffix: "",
            controlPlane: true,
            place: 1,
            podCidr: "10.202.0.0/16",
            dir: path.join(dir, "clusters/cluster-b"),
          },
        ],
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

  it("take more nodes for each cluster, which share the range of its pods", () => {
    const { clusters, dir } = labSettings(checkout, { LAB_NODES: "2" });
    expect(clusters[1]).toMatchObject({
      podCidr: "10.202.0.0/16",
      nodes: [
        { name: "cluster-b-node", place: 1, controlPlane: true, podCidr: "10.202.0.0/17" },
        {
          name: "cluster-b-node.2",
          suffix: ".2",
          place: 11,
          controlPlane: false,
          podCidr: "10.202.128.0/17",
          dir: path.join(dir, "clusters/cluster-b.2"),
        },
      ],
    });
  });

  it("have no two nodes in one place, for as many as there can be", () => {
    const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
    const clusters = (LAB_NODES: string, LAB_CLUSTERS: string) =>
      labSettings(checkout, { LAB_NODES, LAB_CLUSTERS, LAB_POD_CIDR: "10.0.0.0/20" }).clusters;
    const nodes = clusters("3", names.join(",")).flatMap((cluster) => cluster.nodes);
    expect(new Set(nodes.map(({ place }) => place)).size).toBe(30);
    expect(new Set(nodes.map(({ podCidr }) => podCidr)).size).toBe(30);
    expect(new Set(nodes.map(({ dir }) => dir)).size).toBe(30);
    expect(() => clusters("2", [...names, "c10"].join(","))).toThrow(
      ' - LAB_NODES: must be 1 with more than 10 clusters, got "2"',
    );
    expect(clusters("1", [...names, "c10"].join(","))[10]?.nodes[0]?.place).toBe(10);
    expect(() => clusters("4", "one")).toThrow(" - LAB_NODES: ");
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
