import { beforeAll, describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { canaryOf } from "../../../stacks/canaries.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { existingConfig } from "../../helpers/existing.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const OWN = "user-service.user.svc.cluster.local";
const FAR = "user-service.user.cluster-b.mesh";

type More = Readonly<Record<string, unknown>>;

const made = (more: More, chain = false) => {
  const raw = rawConfig({ chain, services: chain ? 2 : 1 });
  return { ...raw, services: raw.services.map((known) => ({ ...known, ...more })) };
};
const said = (raw: More) => parseConfig(raw).problems.map(problemLine);

function settingsOf(raw: More): Settings {
  const { settings, problems } = parseConfig(raw);
  if (!settings || "meshStack" in settings) throw new Error(problems.map(problemLine).join("\n"));
  return settings;
}

async function program(raw: More): Promise<Recording> {
  const recording = await recordProgram();
  const settings = settingsOf(raw);
  releaseServices(settings, installMesh(settings).clusters, planRelease(settings, []));
  await recording.settle();
  return recording;
}
const specOf = (recording: Recording, name: string, kind: string) =>
  recording.named(name, kind).inputs["spec"] as never;

describe("a service with an HTTP port and a gRPC port", () => {
  const raw = made({ morePorts: [{ port: 9090, protocol: "grpc" }] });
  let recording: Recording;
  beforeAll(async () => {
    recording = await program(raw);
  });

  it("has both in its Service and its pods, and probes over HTTP", () => {
    expect(specOf(recording, "user-service.user-cluster-a-service", ":Service")).toMatchObject({
      ports: [
        { name: "http", port: 80, targetPort: "http" },
        { name: "grpc-9090", port: 9090, targetPort: 9090, appProtocol: "grpc" },
      ],
    });
    const { template } = specOf(recording, "user-service.user-cluster-a-v2", ":Deployment") as {
      template: { spec: { containers: unknown[] } };
    };
    expect(template.spec.containers[0]).toMatchObject({
      ports: [
        { name: "http", containerPort: 8080 },
        { name: "grpc-9090", containerPort: 9090 },
      ],
      readinessProbe: { httpGet: { path: "/healthz", port: "http" } },
    });
  });

  it("is split on all ports by the same rules, which lead gateways to the first port", () => {
    const { http } = specOf(
      recording,
      "user-service.user-route-cluster-a-weights",
      ":VirtualService",
    ) as {
      http: { name: string; match?: More[]; route: { destination: More; weight?: number }[] }[];
    };
    expect(http.map(({ name }) => name)).toEqual([
      `${FAR}-canary`,
      `${FAR}-weights`,
      "user-service-ingress-canary",
      "user-service-ingress-weights",
      "user-service-canary",
      "user-service-weights",
    ]);
    for (const { name, match, route } of http) {
      expect(JSON.stringify(match ?? []).includes('"port"'), name).toBe(false);
      const ports = route.map(({ destination }) => destination["port"]);
      const isIngress = name.includes("-ingress-");
      expect(ports, name).toEqual(route.map(() => (isIngress ? { number: 80 } : undefined)));
    }
    expect(http[3]).toMatchObject({
      match: [{ authority: { regex: expect.any(String) as string } }],
      route: [
        { destination: { host: OWN, subset: "v1" }, weight: 90 },
        { destination: { host: OWN, subset: "v2" }, weight: 10 },
      ],
    });
  });

  it("leads a gateway's requests there however clients write the host", () => {
    const { http } = specOf(
      recording,
      "user-service.user-route-cluster-a-weights",
      ":VirtualService",
    ) as { http: { match?: { authority?: { regex?: string } }[] }[] };
    const regex = http[3]?.match?.[0]?.authority?.regex ?? "";
    expect(regex.startsWith("(?i)")).toBe(true);
    const isMeant = new RegExp(`^(?:${regex.slice(4)})$`, "i");
    for (const host of ["user-service.example.com", "User-Service.Example.com:8443"]) {
      expect(isMeant.test(host), host).toBe(true);
    }
    for (const host of ["user-service.example.com.au", "user-serviceXexample.com"]) {
      expect(isMeant.test(host), host).toBe(false);
    }
  });

  it("repeats no call that the service may have worked on", () => {
    const { http } = specOf(
      recording,
      "user-service.user-route-cluster-a-weights",
      ":VirtualService",
    ) as { http: { retries: More }[] };
    for (const { retries } of http) {
      expect(retries["retryOn"]).toBe("connect-failure,refused-stream");
    }
  });

  it("reaches each version on each port of one other cluster by a server name of its own", async () => {
    const name = "user-service.user-cluster-b-from-cluster-a";
    expect(specOf(recording, `${name}-entry`, ":ServiceEntry")).toMatchObject({
      ports: [
        { number: 80, name: "http", protocol: "HTTP" },
        { number: 9090, name: "grpc-9090", protocol: "GRPC" },
      ],
    });
    const outlierDetection = { consecutive5xxErrors: 5 };
    const loadBalancer = { simple: "RANDOM" };
    const raised = await program({
      ...raw,
      services: raw.services.map((known) => ({
        ...known,
        trafficPolicy: { outlierDetection },
        canary: { ...known.canary, trafficPolicy: { loadBalancer } },
      })),
    });
    const { subsets } = specOf(raised, `${name}-rule`, ":DestinationRule") as {
      subsets: unknown[];
    };
    const sni = (port: number) => `outbound_.${port}_.v2_.${OWN}`;
    // What is set for a port inherits nothing from what is set for all.
    expect(subsets[1]).toMatchObject({
      name: "v2",
      trafficPolicy: {
        loadBalancer,
        tls: { mode: "ISTIO_MUTUAL", sni: sni(80) },
        portLevelSettings: [
          {
            port: { number: 9090 },
            loadBalancer,
            outlierDetection,
            tls: { mode: "ISTIO_MUTUAL", sni: sni(9090) },
          },
        ],
      },
    });
  });

  it("has the checks ask for the canary on both ports", () => {
    const { services } = settingsOf(raw);
    expect(services[0] && canaryOf(services[0], "cluster.local")?.ports).toEqual([80, 9090]);
  });

  it("tells the checks which ports are not split", () => {
    const tcp = { port: 5432, protocol: "tcp" };
    const { services } = settingsOf(made({ morePorts: [{ port: 9090 }, tcp] }));
    const canary = services[0] && canaryOf(services[0], "cluster.local");
    expect(canary).toMatchObject({ ports: [80, 9090, 5432], tcpPorts: [5432] });
  });

  it("is another routing with other ports", () => {
    const digest = (more: More) => {
      const settings = settingsOf(made(more));
      const [service] = settings.services;
      if (!service) throw new Error("the fixture has a service");
      return routingDigest(settings, service, "cluster-a");
    };
    const digests = [
      {},
      { protocol: "grpc" },
      { morePorts: [{ port: 9090 }] },
      { morePorts: [{ port: 9090, protocol: "grpc" }] },
    ].map(digest);
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe("a service that speaks gRPC alone", () => {
  it("is probed by its health service, and needs no rules of gateways", async () => {
    const recording = await program(made({ protocol: "grpc" }));
    expect(specOf(recording, "user-service.user-cluster-a-service", ":Service")).toMatchObject({
      ports: [{ name: "grpc", port: 80, targetPort: "grpc", appProtocol: "grpc" }],
    });
    const { template } = specOf(recording, "user-service.user-cluster-a-v2", ":Deployment") as {
      template: { spec: { containers: unknown[] } };
    };
    expect(template.spec.containers[0]).toMatchObject({
      ports: [{ name: "grpc", containerPort: 8080 }],
      readinessProbe: { grpc: { port: 8080 } },
      livenessProbe: { grpc: { port: 8080 } },
    });
    const { http } = specOf(
      recording,
      "user-service.user-route-cluster-a-weights",
      ":VirtualService",
    ) as { http: { name: string }[] };
    expect(http.some(({ name }) => name.includes("-ingress-"))).toBe(false);
    const entry = "user-service.user-cluster-b-from-cluster-a-entry";
    expect(specOf(recording, entry, ":ServiceEntry")).toMatchObject({
      ports: [{ number: 80, name: "grpc", protocol: "GRPC" }],
    });
  });
});

describe("two ports of a Service that lead to one of the container", () => {
  it("are one port of the container", async () => {
    const recording = await program(made({ morePorts: [{ port: 81, targetPort: 8080 }] }));
    const { template } = specOf(recording, "user-service.user-cluster-a-v1", ":Deployment") as {
      template: { spec: { containers: { ports: unknown[] }[] } };
    };
    expect(template.spec.containers[0]?.ports).toEqual([{ name: "http", containerPort: 8080 }]);
    expect(specOf(recording, "user-service.user-cluster-a-service", ":Service")).toMatchObject({
      ports: [{ port: 80 }, { name: "http-81", port: 81, targetPort: 8080, appProtocol: "http" }],
    });
  });
});

describe("a service with ports of its owner's", () => {
  it("needs no port of a container", async () => {
    const recording = await program(
      existingConfig({ servicePort: 50051, protocol: "grpc", morePorts: [{ port: 8080 }] }),
    );
    const entry = "user-service.user-cluster-b-from-cluster-a-entry";
    expect(specOf(recording, entry, ":ServiceEntry")).toMatchObject({
      ports: [
        { number: 50051, name: "grpc", protocol: "GRPC" },
        { number: 8080, name: "http-8080", protocol: "HTTP" },
      ],
    });
  });
});

describe("a port of TCP", () => {
  const raw = made({
    morePorts: [
      { port: 9090, protocol: "grpc" },
      { port: 5432, protocol: "tcp" },
    ],
  });
  const route = async (of: More) => {
    const recording = await program(of);
    const name = "user-service.user-route-cluster-a";
    return {
      weights: specOf(recording, `${name}-weights`, ":VirtualService") as {
        http: object[];
        tcp?: object;
      },
      rule: specOf(recording, `${name}-rule`, ":DestinationRule") as { subsets: object[] },
      recording,
    };
  };
  const tcp = [
    {
      match: [{ port: 5432, gateways: ["mesh"] }],
      route: [{ destination: { host: OWN, subset: "tcp-stable", port: { number: 5432 } } }],
    },
  ];

  it("sends all connections to stable, whatever the weight is", async () => {
    const { weights, rule, recording } = await route({ ...raw, weight: 10 });
    expect(weights.tcp).toEqual(tcp);
    expect(rule.subsets).toEqual([
      { name: "v1", labels: { version: "v1" } },
      { name: "v2", labels: { version: "v2" } },
      { name: "tcp-stable", labels: { version: "v1" } },
    ]);
    expect(specOf(recording, "user-service.user-cluster-a-service", ":Service")).toMatchObject({
      ports: [{}, {}, { name: "tcp-5432", port: 5432, appProtocol: "tcp" }],
    });
  });

  it("keeps its route in a promotion: the subset becomes the new version's", async () => {
    const promoted = raw.services.map(({ canary, ...service }) => ({ ...service, stable: canary }));
    const { weights, rule } = await route({ ...raw, services: promoted, weight: 0 });
    expect(weights.tcp).toEqual(tcp);
    expect(rule.subsets).toContainEqual({ name: "tcp-stable", labels: { version: "v2" } });
  });

  it("is not there on hosts that name a cluster, whose other ports are", async () => {
    const { recording } = await route(raw);
    const far = "user-service.user-cluster-b-from-cluster-a";
    const entry = recording.resources.find(
      ({ name, type }) => name.startsWith(far) && type.endsWith(":ServiceEntry"),
    );
    expect(entry?.inputs["spec"]).toMatchObject({ ports: [{ number: 80 }, { number: 9090 }] });
    const rule = recording.resources.find(
      ({ name, type }) => name.startsWith(far) && type.endsWith(":DestinationRule"),
    );
    expect(JSON.stringify(rule?.inputs["spec"])).toContain('"number":9090');
    expect(JSON.stringify(rule?.inputs["spec"])).not.toContain("5432");
  });

  it("names no version of a service that others have made, while there is no canary", async () => {
    const more = { morePorts: [{ port: 5432, protocol: "tcp" }] };
    expect((await route(existingConfig(more))).weights.tcp).toEqual(tcp);
    const { weights } = await route(existingConfig({ ...more, canary: undefined }));
    expect(weights).not.toHaveProperty("tcp");
  });
});

describe("ports are refused", () => {
  it.each<[string, More, string]>([
    [
      "of TCP as the first one, with the reason",
      made({ protocol: "tcp" }),
      "services[0].protocol: must be http, http2 or grpc: connections of other protocols, such as tcp and tls, are not split request by request, and the gates cannot judge them. A tcp port may be listed under morePorts",
    ],
    [
      "of TLS, with what to write",
      made({ morePorts: [{ port: 5432, protocol: "tls" }] }),
      "services[0].morePorts[0].protocol: must be http, http2, grpc or tcp; connections of a tcp port are not split, all go to stable. TLS that the service itself speaks is tcp, too: it is passed on as it is",
    ],
    [
      "of TCP beside a version with the name of its subset",
      made({ canary: { version: "tcp-stable", image: "registry.example.com/user-service:v2" } }),
      "services[0].canary.version: must be another name: it is that of stable for connections to tcp ports",
    ],
    [
      "that are there twice",
      made({ morePorts: [{ port: 9090 }, { port: 9090 }] }),
      "services[0].morePorts[1].port: must be a port that the service does not have yet",
    ],
    [
      "that are the first one",
      made({ morePorts: [{ port: 80, targetPort: 8080 }] }),
      "services[0].morePorts[0].port: must be a port that the service does not have yet, got 80. Port 80 is the service's first one",
    ],
    [
      "on which the container cannot listen",
      made({ morePorts: [{ port: 81 }] }),
      "services[0].morePorts[0].targetPort: must be given where port is below 1024",
    ],
    [
      "of an owner's container",
      existingConfig({ morePorts: [{ port: 81, targetPort: 8081 }] }),
      "services[0].morePorts[0].targetPort: must be left out of an existing service",
    ],
    [
      "of gRPC with a path to probe",
      made({ protocol: "grpc", healthPath: "/healthz" }),
      "services[0].healthPath: must be left out with protocol grpc",
    ],
    [
      "of gRPC first in a chain",
      made({ protocol: "grpc" }, true),
      "services[0].protocol: must be http in a chain",
    ],
  ])("%s", (_, raw, text) => {
    expect(said(raw).join("\n")).toContain(` - ${text}`);
  });
});
