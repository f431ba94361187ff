import { describe, expect, it } from "vitest";
import {
  CrossClusterServiceEntry,
  type CrossClusterServiceEntryArgs,
} from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";

const entry = (more: Partial<CrossClusterServiceEntryArgs> = {}) =>
  record(({ opts }) => {
    new CrossClusterServiceEntry(
      "entry",
      {
        service: "user-service",
        namespace: "user",
        cluster: "cluster-b",
        gatewayAddresses: ["203.0.113.2", "203.0.113.3"],
        virtualAddress: "240.240.1.2",
        versions: ["v1", "v2"],
        trustDomain: "prod.example.com",
        ...more,
      },
      opts,
    );
  });

describe("CrossClusterServiceEntry", () => {
  it("registers a ServiceEntry and then the rule for its host", async () => {
    const program = await entry();
    expect(children(program, "entry")).toEqual([
      "kubernetes:networking.istio.io/v1:DestinationRule entry-rule",
      "kubernetes:networking.istio.io/v1:ServiceEntry entry-entry",
    ]);
    const rule = program.named("entry-rule");
    expect(program.waitsFor(rule, program.named("entry-entry"))).toBe(true);
    expect(program.waitsFor(rule, program.named("before"))).toBe(true);
    expect(rule.provider).toBe("here");
  });

  it("leads to the other cluster's gateway at fixed addresses, for which no remote secret is needed", async () => {
    const program = await entry();
    const endpoint = (address: string) => ({
      address,
      ports: { http: 15443 },
      labels: { "security.istio.io/tlsMode": "istio" },
    });
    expect(program.named("entry-entry").inputs["spec"]).toEqual({
      hosts: ["user-service.user.cluster-b.mesh"],
      addresses: ["240.240.1.2"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
      endpoints: [endpoint("203.0.113.2"), endpoint("203.0.113.3")],
    });
  });

  it("leads there from every port of the service", async () => {
    const program = await entry({
      ports: [
        { port: 80, protocol: "grpc" },
        { port: 81, protocol: "http" },
      ],
    });
    const { endpoints } = program.named("entry-entry").inputs["spec"] as {
      readonly endpoints: readonly { readonly ports: object }[];
    };
    expect(endpoints.map(({ ports }) => ports)).toEqual(
      Array(2).fill({ grpc: 15443, "http-81": 15443 }),
    );
  });

  it("asks the gateway for the subset by its own server name, and for the service's identity", async () => {
    const program = await entry();
    const tls = (subset: string) => ({
      mode: "ISTIO_MUTUAL",
      sni: `outbound_.80_.${subset}_.user-service.user.svc.cluster.local`,
      subjectAltNames: ["spiffe://prod.example.com/ns/user/sa/user-service"],
    });
    expect(program.named("entry-rule").inputs["spec"]).toEqual({
      host: "user-service.user.cluster-b.mesh",
      trafficPolicy: { tls: tls("") },
      subsets: [
        { name: "v1", trafficPolicy: { tls: tls("v1") } },
        { name: "v2", trafficPolicy: { tls: tls("v2") } },
      ],
    });
  });
});
