import { describe, expect, it } from "vitest";
import { MeshSecurity, type MeshSecurityArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";

const security = (args?: MeshSecurityArgs) =>
  record(({ opts }) => {
    new MeshSecurity("security", args, opts);
  });

describe("MeshSecurity", () => {
  it("demands mutual TLS of every workload", async () => {
    const program = await security();
    expect(program.named("security-mtls").inputs).toMatchObject({
      metadata: { name: "default", namespace: "istio-system" },
      spec: { mtls: { mode: "STRICT" } },
    });
    expect(program.named("security-mtls").provider).toBe("here");
  });

  it("allows port 15443 and server names of the cluster alone on the gateway between clusters", async () => {
    const program = await security();
    expect(program.named("security-east-west").inputs["spec"]).toEqual({
      selector: { matchLabels: { app: "istio-eastwestgateway", istio: "eastwestgateway" } },
      action: "ALLOW",
      rules: [
        {
          to: [{ operation: { ports: ["15443"] } }],
          when: [{ key: "connection.sni", values: ["*.cluster.local"] }],
        },
      ],
    });
  });

  it("allows the configured hosts alone on the gateway to the outside", async () => {
    const program = await security({ ingressHosts: ["user.example.com"] });
    expect(program.named("security-ingress").inputs).toMatchObject({
      metadata: { namespace: "istio-ingress" },
      spec: {
        selector: { matchLabels: { app: "istio-ingressgateway", istio: "ingressgateway" } },
        rules: [{ to: [{ operation: { hosts: ["user.example.com", "user.example.com:*"] } }] }],
      },
    });
  });

  it("has no policy for a gateway that is not there", async () => {
    expect(children(await security(), "security")).toEqual([
      "kubernetes:security.istio.io/v1:AuthorizationPolicy security-east-west",
      "kubernetes:security.istio.io/v1:PeerAuthentication security-mtls",
    ]);
  });
});
