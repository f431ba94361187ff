import { ApiException } from "@kubernetes/client-node";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { problemLine } from "../../../lib/problems.ts";
import { INGRESS_PATHS } from "../../../lib/routing/routing-annotations.ts";
import type { ServiceSettings } from "../../../stacks/config.ts";
import { ingressFindings } from "../../../stacks/ingress-findings.ts";
import { settings } from "../../helpers/fixtures.ts";

const HOST = "user-service.example.com";
const API = [{ exact: "/api" }, { prefix: "/api/" }];
const GATEWAY = "web/internal";

/** VirtualServices, Gateways and proxies of a cluster. */
const there = {
  virtualServices: [] as object[],
  gateways: {} as Record<string, object>,
  proxies: vi.fn<(labels: string) => Promise<object[]>>(),
  fails: undefined as Error | undefined,
};
const cluster = {
  name: "cluster-a",
  proxies: (labels: string) => there.proxies(labels),
  custom: {
    listCustomObjectForAllNamespaces: () =>
      there.fails ? Promise.reject(there.fails) : Promise.resolve({ items: there.virtualServices }),
    getNamespacedCustomObject: ({ namespace, name }: { namespace: string; name: string }) => {
      const spec = there.gateways[`${namespace}/${name}`];
      return spec
        ? Promise.resolve({ spec })
        : Promise.reject(new ApiException(404, "not found", "", {}));
    },
  },
} as unknown as ClusterClient;

beforeEach(() => {
  there.virtualServices = [];
  there.gateways = {};
  there.fails = undefined;
  there.proxies.mockReset().mockResolvedValue([{}]);
});

const findings = async (more: Partial<ServiceSettings> = {}) => {
  const { services } = settings();
  const found = await ingressFindings(
    { services: services.map((service) => ({ ...service, ...more })) },
    [cluster],
  );
  return found.map((problem) => problemLine(problem).replace(/^ - /, ""));
};
const virtualService = (name: string, paths?: object, hosts = [HOST]) => ({
  metadata: {
    name,
    namespace: "shop",
    ...(paths && { annotations: { [INGRESS_PATHS]: JSON.stringify(paths) } }),
  },
  spec: { hosts },
});

describe("a host that another stack's service has too", () => {
  it("is shared where their paths are apart", async () => {
    there.virtualServices = [
      virtualService("web", { others: API }),
      virtualService("docs", { paths: [{ prefix: "/docs/" }] }),
      virtualService("elsewhere", { paths: API }, ["else.example.com"]),
    ];
    expect(await findings({ ingressPaths: API })).toEqual([]);
  });

  it("keeps an update from being made where they are not", async () => {
    there.virtualServices = [virtualService("api", { paths: [{ prefix: "/api/v1/" }] })];
    expect(await findings({ ingressPaths: API })).toEqual([
      'services[0].ingressPaths: must leave each path of a host to one service, but prefix /api/ overlaps with prefix /api/v1/ of shop/api, and Istio does not say whose rules come first (another stack\'s, in cluster-a), got "user-service.example.com". Give them paths of which none begins with another, or give one of the two services all other paths: leave its ingressPaths out. If shop/api is to go, take it out in an update before this one.',
    ]);
    const unknowing = [
      'services[0].ingressHosts: must leave each path of a host to one service, but user/user-service has all paths of it and does not know that prefix /api/v1/ is of shop/api: requests with a header of its matches would go astray (another stack\'s, in cluster-a), got "user-service.example.com". List it under ingressPathsOfOthers of user/user-service, in an update before this one. If shop/api is to go, take it out in an update before this one.',
    ];
    expect(await findings()).toEqual(unknowing);
    expect(await findings({ othersPaths: [{ prefix: "/api/v1/" }] })).toEqual([]);
  });

  it("is as before where nobody says anything of paths, and with the service's own route", async () => {
    there.virtualServices = [virtualService("other")];
    expect(await findings()).toEqual([]);
    const own = virtualService("user-service", { paths: [{ prefix: "/" }] });
    there.virtualServices = [{ ...own, metadata: { ...own.metadata, namespace: "user" } }];
    expect(await findings({ ingressPaths: API })).toEqual([]);
  });

  it("must be readable for a service that shares it", async () => {
    there.fails = new Error("no right to list");
    expect(await findings()).toEqual([]);
    expect(await findings({ ingressPaths: API })).toEqual([
      "services[0].ingressHosts: must be hosts whose other services can be read, but in cluster-a: no right to list. Give the kubeconfig's user the rights that docs/permissions.md lists.",
    ]);
  });
});

describe("a Gateway of one's own", () => {
  const server = (hosts: string[], more: object = {}) => ({
    hosts,
    port: { number: 80, protocol: "HTTP" },
    ...more,
  });
  const own = { ingressGateways: [GATEWAY] };
  const lacks = (what: string) => [
    `services[0].ingressGateways[0]: must serve the hosts in every cluster, but in cluster-a ${what}, got "web/internal". Make it there, as in the other clusters, or leave it out.`,
  ];

  it.each([
    ["the host", [HOST]],
    ["all hosts", ["*"]],
    ["its domain", ["*.example.com"]],
    ["the host for the service's namespace", [`user/${HOST}`]],
    ["the host for all namespaces", ["*/*"]],
  ])("serves %s", async (_, hosts) => {
    there.gateways[GATEWAY] = { selector: { istio: "in" }, servers: [server(hosts)] };
    expect(await findings(own)).toEqual([]);
    expect(there.proxies).toHaveBeenCalledExactlyOnceWith("istio=in");
  });

  it("must be there", async () => {
    expect(await findings(own)).toEqual(lacks("there is no Gateway web/internal"));
  });

  it.each([
    ["another host", server(["else.example.com"])],
    ["other namespaces", server([`orders/${HOST}`, `./${HOST}`])],
    ["TLS that is passed through", server(["*"], { tls: { mode: "PASSTHROUGH" } })],
    ["TCP", server(["*"], { port: { number: 80, protocol: "TCP" } })],
  ])("must serve more than %s", async (_, only) => {
    there.gateways[GATEWAY] = { selector: { istio: "in" }, servers: [only] };
    expect(await findings(own)).toEqual(
      lacks(
        "Gateway web/internal has no HTTP server that takes user-service.example.com from namespace user",
      ),
    );
  });

  it("must select a gateway that is ready", async () => {
    there.gateways[GATEWAY] = { selector: { istio: "in" }, servers: [server(["*"])] };
    there.proxies.mockResolvedValue([]);
    expect(await findings(own)).toEqual(
      lacks("Gateway web/internal selects no gateway that is ready (istio=in)"),
    );
  });

  it("must be readable", async () => {
    there.gateways[GATEWAY] = { selector: { istio: "in" }, servers: [server(["*"])] };
    there.proxies.mockRejectedValue(new Error("no right"));
    expect(await findings(own)).toEqual([
      'services[0].ingressGateways[0]: must be readable in cluster-a: no right, got "web/internal". Give the kubeconfig\'s user the rights that docs/permissions.md lists.',
    ]);
  });
});
