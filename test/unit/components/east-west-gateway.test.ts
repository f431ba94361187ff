import { describe, expect, it } from "vitest";
import { EastWestGateway, type EastWestGatewayArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";
import { valueOf } from "../../helpers/mocks.ts";

async function gateway(more: Partial<EastWestGatewayArgs> = {}) {
  let made: EastWestGateway | undefined;
  const program = await record(({ opts }) => {
    made = new EastWestGateway(
      "east-west-cluster-a",
      { network: "network-a", version: "1.31.0", ...more },
      opts,
    );
  });
  return { program, addresses: made && (await valueOf(made.addresses)) };
}

describe("EastWestGateway", () => {
  it("installs the official chart with 2 replicas as the gateway of its network", async () => {
    const { program } = await gateway();
    expect(children(program, "east-west-cluster-a")).toEqual([
      "kubernetes:core/v1:Service east-west-cluster-a-service",
      "kubernetes:helm.sh/v3:Release east-west-cluster-a-release",
      "kubernetes:networking.istio.io/v1:Gateway east-west-cluster-a-gateway",
    ]);
    const release = program.named("east-west-cluster-a-release");
    expect(release.provider).toBe("here");
    expect(release.inputs).toMatchObject({
      name: "istio-eastwestgateway",
      namespace: "istio-system",
      chart: "gateway",
      version: "1.31.0",
      repositoryOpts: { repo: "https://istio-release.storage.googleapis.com/charts" },
      values: {
        autoscaling: { enabled: false },
        replicaCount: 2,
        networkGateway: "network-a",
        podDisruptionBudget: { maxUnavailable: 1 },
        env: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true" },
        terminationGracePeriodSeconds: 60,
      },
    });
  });

  it("takes its chart from a folder, which needs no repository and no version", async () => {
    const { program } = await gateway({ charts: { directory: "/charts" } });
    const { inputs } = program.named("east-west-cluster-a-release");
    expect(inputs["chart"]).toBe("/charts/gateway-1.31.0.tgz");
    expect(inputs).not.toHaveProperty("version");
    expect(inputs).not.toHaveProperty("repositoryOpts");
  });

  it("passes TLS of the mesh through on port 15443, for services of the cluster's domain alone", async () => {
    const { program } = await gateway();
    expect(program.named("east-west-cluster-a-gateway").inputs["spec"]).toEqual({
      selector: { app: "istio-eastwestgateway", istio: "eastwestgateway" },
      servers: [
        {
          port: { number: 15443, name: "tls", protocol: "TLS" },
          tls: { mode: "AUTO_PASSTHROUGH" },
          hosts: ["*.cluster.local"],
        },
      ],
    });
  });

  it("reports the addresses of its load balancer, or the ones it is given", async () => {
    expect((await gateway()).addresses).toEqual(["203.0.113.1"]);
    expect((await gateway({ addresses: ["198.51.100.7"] })).addresses).toEqual(["198.51.100.7"]);
  });

  it("opens and reads no more than needed, if asked: the mesh's port and that of health checks, and no Secret", async () => {
    const { program } = await gateway({ onlyNeeded: true });
    const { values } = program.named("east-west-cluster-a-release").inputs;
    expect(values).toMatchObject({
      labels: { "topology.istio.io/network": "network-a" },
      env: { ISTIO_META_REQUESTED_NETWORK_VIEW: "network-a" },
      service: {
        ports: [
          { name: "status-port", port: 15021, targetPort: 15021, protocol: "TCP" },
          { name: "tls", port: 15443, targetPort: 15443, protocol: "TCP" },
        ],
      },
      rbac: { enabled: false },
    });
    // With it, the chart opens four ports.
    expect(values).not.toHaveProperty("networkGateway");
  });

  it("gives values precedence", async () => {
    const { program } = await gateway({ values: { replicaCount: 4, imagePullPolicy: "Never" } });
    expect(program.named("east-west-cluster-a-release").inputs["values"]).toMatchObject({
      replicaCount: 4,
      imagePullPolicy: "Never",
      networkGateway: "network-a",
    });
  });
});
