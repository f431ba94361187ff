import { VirtualService } from "@kubernetes-models/istio/networking.istio.io/v1/VirtualService";
import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { describeMesh, type MeshStack } from "../../../stacks/mesh-stack.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { scopeIn } from "../../../stacks/routing-records.ts";
import { kubeconfigFile, rawConfig } from "../../helpers/fixtures.ts";

type Keys = Readonly<Record<string, unknown>>;

const SHOP = "shop.example.com";
const API = [{ exact: "/api" }, { prefix: "/api/" }];

/** A configuration of two services, `user-service` and `order-service`, on one host. */
function raw(first: Keys = {}, second: Keys = { ingressPaths: API }) {
  const config = rawConfig({ services: 2, weight: 0 });
  return {
    ...config,
    ingress: { hosts: [SHOP] },
    services: config.services.map((service, i) => ({
      ...service,
      ingressHosts: [SHOP],
      ...(i === 0 ? first : second),
    })),
  };
}
const lines = (...of: Parameters<typeof raw>) =>
  parseConfig(raw(...of)).problems.map((problem) => problemLine(problem).replace(/^ - /, ""));
function settings(...of: Parameters<typeof raw>): Settings {
  const { settings: parsed, problems } = parseConfig(raw(...of));
  if (!parsed || "meshStack" in parsed) throw new Error(problems.map(problemLine).join("\n"));
  return parsed;
}

const headers = {
  request: { set: { "x-forwarded-prefix": "/api" }, add: { via: "gateway" }, remove: ["x-debug"] },
  response: { set: { "x-frame-options": "DENY" } },
};
const rewrite = { uriRegexRewrite: { match: "^/api/(.*)$", rewrite: "/\\1" }, authority: "api" };

describe("two services of a stack with one host", () => {
  it("know each other's paths, and make rules that Istio has", () => {
    const config = settings({}, { ingressPaths: API, headers, rewrite });
    expect(config.services.map(({ othersPaths }) => othersPaths)).toEqual([API, undefined]);
    const made = planRelease(config, []).routes.map(({ objects }) => objects.weights);
    expect(made).toHaveLength(4);
    for (const { metadata, spec } of made) {
      const rules = new VirtualService({ metadata, spec });
      expect(() => {
        rules.validate();
      }).not.toThrow();
    }
    const { http } = made.at(-1)?.spec as { http: { name: string; headers?: unknown }[] };
    expect(http.filter((rule) => rule.headers).map(({ name }) => name)).toEqual([
      "order-service-ingress-canary",
      "order-service-ingress-weights",
    ]);
  });

  it("are told apart by what they are looked at for", () => {
    const { services, ...config } = settings();
    const shared = services.map((service) =>
      scopeIn({ ...config, services }, service, "cluster-a"),
    );
    expect(shared.map((scope) => scope.shared)).toEqual([[SHOP], [SHOP]]);
    const [alone] = settings({}, { ingressHosts: [] }).services;
    if (!alone) throw new Error("the fixture has a service");
    expect(scopeIn({ ...config, services }, alone, "cluster-a")).not.toHaveProperty("shared");
  });

  it("have another routing with other paths of the other one", () => {
    const digest = (paths: unknown) => {
      const config = settings({}, { ingressPaths: paths });
      const [service] = config.services;
      if (!service) throw new Error("the fixture has a service");
      return routingDigest(config, service, "cluster-a");
    };
    expect(digest(API)).toBe(digest(API));
    expect(digest(API)).not.toBe(digest([{ prefix: "/api/" }]));
  });
});

describe("a service's keys for requests from outside", () => {
  it.each<[string, Keys, Keys, string]>([
    [
      "all paths of a host, twice",
      {},
      {},
      'services[1].ingressHosts: must leave each path of a host to one service, but user/user-service has all paths of it too (services[0]), got "shop.example.com". Give one of the two services ingressPaths, or take the host away from it.',
    ],
    [
      "paths that overlap",
      { ingressPaths: [{ prefix: "/api/v1/" }] },
      { ingressPaths: API },
      'services[1].ingressPaths: must leave each path of a host to one service, but prefix /api/ overlaps with prefix /api/v1/ of user/user-service, and Istio does not say whose rules come first (services[0]), got "shop.example.com". Give them paths of which none begins with another, or give one of the two services all other paths: leave its ingressPaths out.',
    ],
    [
      "paths of others and some of its own",
      {},
      { ingressPaths: API, ingressPathsOfOthers: [{ prefix: "/docs" }] },
      'services[1].ingressPathsOfOthers: must be left out with ingressPaths: all other paths are others\', got [{"prefix":"/docs"}]. Remove it.',
    ],
    [
      "a rewrite without a host",
      {},
      { ingressHosts: [], rewrite: { uri: "/" } },
      'services[1].rewrite: must be left out of a service without ingressHosts: it is about requests from outside alone, got {"uri":"/"}. List the hosts under ingressHosts, or remove it.',
    ],
    [
      "the header of its testers",
      {},
      { ingressPaths: API, headers: { request: { set: { "x-canary": "true" } } } },
      'services[1].headers.request: must not name a header by which matches or a chain choose the canary, got "x-canary". Choose another one, or leave it to clients.',
    ],
    [
      "cookies of its testers",
      {},
      { ingressPaths: API, headers: { request: { remove: ["cookie"] } } },
      'services[1].headers.request: must not name a header by which matches or a chain choose the canary, got "cookie". Choose another one, or leave it to clients.',
    ],
    [
      "a host that no gateway of the mesh has",
      {},
      { ingressHosts: ["else.example.com"] },
      'services[1].ingressHosts: must be one of ingress.hosts, got "else.example.com". Add it there, or remove it here.',
    ],
    [
      "the whole host as a prefix",
      {},
      { ingressPaths: [{ prefix: "/" }] },
      'services[1].ingressPaths[0].prefix: must be a part of the paths, got "/". For all paths that no other service of the host has, leave ingressPaths out.',
    ],
    [
      "a path with a query",
      {},
      { ingressPaths: [{ exact: "/api?x" }] },
      'services[1].ingressPaths[0].exact: must be a path: it begins with / and has no query, got "/api?x". For example: /api.',
    ],
    [
      "two ways to name a path",
      {},
      { ingressPaths: [{ exact: "/api", prefix: "/api" }] },
      'services[1].ingressPaths[0]: must have one of exact, prefix and regex, got {"exact":"/api","prefix":"/api"}. For example: {prefix: /api/}.',
    ],
    [
      "a pattern that RE2 does not know",
      {},
      { ingressPaths: [{ regex: "/(?!api).*" }] },
      'services[1].ingressPaths[0].regex: must be a regular expression as Envoy knows them (RE2), which does not look ahead or refer back, got "/(?!api).*". For example: /v[0-9]+/orders.',
    ],
    [
      "two rewrites of the path",
      {},
      {
        ingressPaths: API,
        rewrite: { uri: "/", uriRegexRewrite: { match: "a", rewrite: "b" } },
      },
      'services[1].rewrite: must have uri or uriRegexRewrite, or authority, or authority and one of the two, got {"uri":"/","uriRegexRewrite":{"match":"a","rewrite":"b"}}. For example: {uri: /}.',
    ],
    [
      "the host as a header",
      {},
      { ingressPaths: API, headers: { request: { set: { host: "api" } } } },
      "services[1].headers.request.set.host: must be a header name in lower case, other than host. For example: x-forwarded-prefix. The host is rewrite.authority.",
    ],
    [
      "a gateway without its namespace",
      {},
      { ingressPaths: API, ingressGateways: ["internal"] },
      'services[1].ingressGateways[0]: must be NAMESPACE/NAME of a Gateway, got "internal". For example: istio-ingress/internal.',
    ],
  ])("are refused with %s", (_, first, second, text) => {
    expect(lines(first, second)).toEqual([text]);
  });

  it("may name Gateways of one's own, with hosts that are not the mesh's", () => {
    const own = { ingressHosts: ["in.example.com"], ingressGateways: ["web/internal"] };
    const config = settings({}, own);
    const { weights } = planRelease(config, []).routes.at(-1)?.objects ?? {};
    expect(weights?.spec).toMatchObject({ gateways: ["mesh", "web/internal"] });
    const both = {
      ...own,
      ingressGateways: ["web/internal", "istio-ingress/istio-ingressgateway"],
    };
    expect(lines({}, both)).toEqual([
      'services[1].ingressHosts: must be one of ingress.hosts, got "in.example.com". Add it there, or remove it here.',
    ]);
  });
});

describe("services of two stacks with one host", () => {
  const mesh = (...of: Parameters<typeof raw>) => describeMesh(settings(...of));
  const joined = (of: ReturnType<typeof mesh>, service: Keys) => {
    const config = rawConfig();
    const { problems } = parseConfig(
      {
        kubeconfig: kubeconfigFile(),
        meshStack: "org/istio-canary/mesh",
        services: config.services.map((known) => ({
          ...known,
          namespace: "orders",
          ingressHosts: [SHOP],
          ...service,
        })),
      },
      new Date(),
      {
        ...{ name: "org/istio-canary/mesh", mesh: of, rootCaExpires: "", clusters: {} },
      } satisfies MeshStack,
    );
    return problems.map((problem) => problemLine(problem).replace(/^ - /, ""));
  };
  const alone = { ingressHosts: [] };

  it("share it where the mesh's stack leaves their paths to others", () => {
    const others = mesh({ ingressPathsOfOthers: API }, alone);
    expect(others.ingress).toEqual({
      gateway: "istio-ingress/istio-ingressgateway",
      freeHosts: [],
      sharedHosts: { [SHOP]: [{ service: "user/user-service", others: API }] },
    });
    expect(joined(others, { ingressPaths: API })).toEqual([]);
    expect(joined(others, { ingressPaths: [{ prefix: "/docs/" }] })).toEqual([
      'services[0].ingressHosts: must leave each path of a host to one service, but user/user-service has all paths of it and does not know that prefix /docs/ is of orders/user-service: requests with a header of its matches would go astray (stack org/istio-canary/mesh), got "shop.example.com". List it under ingressPathsOfOthers of user/user-service, in an update before this one.',
    ]);
    expect(joined(others, {})).toEqual([
      'services[0].ingressHosts: must leave each path of a host to one service, but user/user-service has all paths of it too (stack org/istio-canary/mesh), got "shop.example.com". Give one of the two services ingressPaths, or take the host away from it.',
    ]);
  });

  it("share it where those of the mesh's stack have some paths alone", () => {
    const some = mesh({ ingressPaths: API }, alone);
    expect(joined(some, { ingressPaths: [{ prefix: "/docs/" }] })).toEqual([]);
    expect(joined(some, { ingressPathsOfOthers: API })).toEqual([]);
  });

  it("do not share what leads to one service of the mesh's stack", () => {
    const one = mesh({}, alone);
    expect(one.ingress).not.toHaveProperty("sharedHosts");
    expect(joined(one, { ingressPaths: API })).toEqual([
      'services[0].ingressHosts: must be one of ingress.hosts of org/istio-canary/mesh that leads to none of its own services: there is none, got "shop.example.com". Add it there and run pulumi up --stack org/istio-canary/mesh, or remove it here.',
    ]);
  });
});
