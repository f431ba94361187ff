import { describe, expect, it } from "vitest";
import { IngressGateway, type IngressGatewayArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";
import { secretValue } from "../../helpers/mocks.ts";

const gateway = (more: Partial<IngressGatewayArgs> = {}) =>
  record(({ opts }) => {
    new IngressGateway(
      "ingress",
      { version: "1.31.0", hosts: ["user.example.com"], ...more },
      opts,
    );
  });

describe("IngressGateway", () => {
  it("installs the official chart with 2 replicas in a namespace of its own", async () => {
    const program = await gateway();
    expect(children(program, "ingress")).toEqual([
      "kubernetes:core/v1:Namespace ingress-namespace",
      "kubernetes:core/v1:Service ingress-service",
      "kubernetes:helm.sh/v3:Release ingress-release",
      "kubernetes:networking.istio.io/v1:Gateway ingress-gateway",
    ]);
    const release = program.named("ingress-release");
    expect(release.inputs).toMatchObject({
      name: "istio-ingressgateway",
      namespace: "istio-ingress",
      chart: "gateway",
      version: "1.31.0",
      values: { autoscaling: { enabled: false }, replicaCount: 2 },
    });
    expect(release.inputs["values"]).not.toHaveProperty("networkGateway");
    expect(program.waitsFor(release, program.named("ingress-namespace"))).toBe(true);
    expect(program.waitsFor(release, program.named("before"))).toBe(true);
  });

  it("takes HTTP for its hosts", async () => {
    const program = await gateway();
    expect(program.named("ingress-gateway").inputs["spec"]).toEqual({
      selector: { app: "istio-ingressgateway", istio: "ingressgateway" },
      servers: [
        { port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["user.example.com"] },
      ],
    });
  });

  it("takes HTTPS too with a credential, and makes its Secret from a pair", async () => {
    const program = await gateway({
      tls: { credentialName: "user-tls", pair: { certificate: "CERT", key: "KEY" } },
    });
    expect(program.named("ingress-gateway").inputs["spec"]).toMatchObject({
      servers: [
        { port: { protocol: "HTTP" } },
        {
          port: { number: 443, protocol: "HTTPS" },
          tls: { mode: "SIMPLE", credentialName: "user-tls" },
          hosts: ["user.example.com"],
        },
      ],
    });
    const secret = program.named("ingress-tls").inputs;
    expect(secret).toMatchObject({
      metadata: { name: "user-tls", namespace: "istio-ingress" },
      type: "kubernetes.io/tls",
    });
    expect(secretValue(secret["stringData"])).toEqual({ "tls.crt": "CERT", "tls.key": "KEY" });
  });

  it("redirects HTTP where it is told to, and leaves a Secret alone that exists", async () => {
    const program = await gateway({ tls: { credentialName: "user-tls", httpsRedirect: true } });
    expect(program.named("ingress-gateway").inputs["spec"]).toMatchObject({
      servers: [{ tls: { httpsRedirect: true } }, {}],
    });
    expect(program.ofType("kubernetes:core/v1:Secret")).toEqual([]);
  });
});
