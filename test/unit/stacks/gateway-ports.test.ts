import { expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { describeMesh } from "../../../stacks/mesh-stack.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

/** The config with keys in its second cluster, in the mesh and of the ingress gateways. */
function configWith(cluster: object, { mesh = {}, ingress = {} } = {}) {
  const raw = rawConfig();
  return parseConfig({
    ...raw,
    mesh: { ...raw.mesh, ...mesh },
    ingress: { ...raw.ingress, ...ingress },
    clusters: raw.clusters.map((each, i) => (i === 1 ? { ...each, ...cluster } : each)),
  });
}

const problemsWith = (...config: Parameters<typeof configWith>) =>
  configWith(...config).problems.map(problemLine);

async function programWith(...config: Parameters<typeof configWith>) {
  const program = await recordProgram();
  const { settings, problems } = configWith(...config);
  expect(problems).toEqual([]);
  if (!settings || !("certificates" in settings)) throw new Error("the fixture is wrong");
  const { clusters } = installMesh(settings);
  releaseServices(settings, clusters, planRelease(settings, []));
  await program.settle();
  return { program, settings };
}

/** Where requests to the service in one cluster are sent from the other one. */
const portOf = ({ program }: Awaited<ReturnType<typeof programWith>>, to: string, from: string) =>
  program.named(`user-service.user-${to}-from-${from}-entry`).inputs["spec"];

it("other clusters reach a gateway at the port that its cluster gives, and know it from its Service", async () => {
  for (const [mesh, service] of [
    [{}, { networkGatewayPorts: { tls: { port: 443, targetPort: 15443 } } }],
    [
      { eastWestAccess: "needed" },
      {
        service: {
          ports: [
            { name: "status-port", port: 15021, targetPort: 15021, protocol: "TCP" },
            { name: "tls", port: 443, targetPort: 15443, protocol: "TCP" },
          ],
        },
      },
    ],
  ] as const) {
    const made = await programWith({ eastWestPort: 443 }, { mesh });
    const values = (cluster: string) =>
      made.program.named(`east-west-gateway-${cluster}-release`).inputs["values"];
    expect(values("cluster-b")).toMatchObject({
      ...service,
      labels: { "networking.istio.io/gatewayPort": "443" },
    });
    expect(JSON.stringify(values("cluster-a"))).not.toMatch(/:443\b|gatewayPort/);
    expect(portOf(made, "cluster-b", "cluster-a")).toMatchObject({
      endpoints: [{ ports: { http: 443 } }],
    });
    expect(portOf(made, "cluster-a", "cluster-b")).toMatchObject({
      endpoints: [{ ports: { http: 15443 } }],
    });
    // The pods, and what they let through, stay as they are.
    expect(made.program.named("east-west-gateway-cluster-b-gateway").inputs["spec"]).toMatchObject({
      servers: [{ port: { number: 15443 } }],
    });
  }
});

it("stacks that use the mesh are told of the port", async () => {
  const { settings } = await programWith({ eastWestPort: 443 });
  expect(describeMesh(settings).clusters).toMatchObject([{}, { eastWestPort: 443 }]);
  expect(describeMesh(settings).clusters[0]).not.toHaveProperty("eastWestPort");
});

it.each([
  [
    15021,
    "must not be 15012, 15017, 15021, which the gateway has for something else, got 15021. For example: 443.",
  ],
  [0, "must be a whole number from 1 to 65535, got 0. For example: 443."],
])("port %s is none for a gateway between clusters", (eastWestPort, rule) => {
  expect(problemsWith({ eastWestPort })).toEqual([` - clusters[1].eastWestPort: ${rule}`]);
});

it("a port is refused in a mesh of one network, where it leads to nothing", () => {
  const raw = rawConfig();
  const { problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, oneNetwork: true },
    clusters: raw.clusters.map((each) => ({ ...each, network: "network", eastWestPort: 443 })),
  });
  expect(problems.map(problemLine)).toEqual(
    [0, 1].map(
      (i) =>
        ` - clusters[${i}].eastWestPort: must be left out with mesh.oneNetwork: there are no east-west gateways, got 443. Remove it: pulumi config rm --path 'clusters[${i}].eastWestPort'`,
    ),
  );
});

it("clients outside reach the ingress gateways at the ports that the mesh gives, and keep the others", async () => {
  const tls = { credentialName: "user-tls" };
  for (const [ports, http, https] of [
    [{ http: 8080, https: 8443 }, 8080, 8443],
    [{ https: 8443 }, 80, 8443],
  ] as const) {
    const { program } = await programWith({}, { ingress: { tls, ports } });
    expect(program.named("ingress-gateway-cluster-b-release").inputs["values"]).toMatchObject({
      service: {
        ports: [
          { name: "status-port", port: 15021, targetPort: 15021, protocol: "TCP" },
          { name: "http2", port: http, targetPort: 80, protocol: "TCP" },
          { name: "https", port: https, targetPort: 443, protocol: "TCP" },
        ],
      },
    });
    expect(program.named("ingress-gateway-cluster-b-gateway").inputs["spec"]).toMatchObject({
      servers: [{ port: { number: http } }, { port: { number: https } }],
    });
  }
});

it.each([
  [
    { http: 8080, https: 8080 },
    'ingress.ports: must be two different ports, got {"http":8080,"https":8080}. Change one of them.',
  ],
  [
    { https: 80 },
    'ingress.ports: must be two different ports, got {"https":80}. Change one of them.',
  ],
  [
    { http: 15021 },
    "ingress.ports.http: must not be 15021, which the gateway has for its health, got 15021. For example: 8080.",
  ],
])("ports %j are none for clients outside", (ports, line) => {
  expect(problemsWith({}, { ingress: { ports } })).toEqual([` - ${line}`]);
});

it("no redirect leads to a port at which nothing listens", () => {
  const tls = { credentialName: "user-tls", httpsRedirect: true };
  const ports = { https: 8443 };
  expect(problemsWith({}, { ingress: { tls, ports } })).toEqual([
    ' - ingress.ports: must be the usual ones with ingress.tls.httpsRedirect: Envoy redirects to the port at which it was asked, got {"https":8443}. Remove it; or set ingress.tls.httpsRedirect to false.',
  ]);
  const usual = { http: 80, https: 443 };
  expect(problemsWith({}, { ingress: { tls, ports: usual } })).toEqual([]);
});
