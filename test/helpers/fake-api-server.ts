import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { dump } from "js-yaml";
import { WebSocketServer } from "ws";
import { canaryRouteObjects, type CanaryRouting } from "../../components/canary-route.ts";
import { splitOf } from "../../lib/routing/istio/split.ts";
import { leastAnswers, type EnvoyAnswers, type EnvoyService } from "./envoy-answers.ts";
import { FakeObjects } from "./fake-objects.ts";
import type { virtualService } from "../../lib/routing/istio/virtual-service.ts";

/** A kubeconfig with a context for each API server, by its URL; the first one is current. */
export function kubeconfigText(servers: Readonly<Record<string, string>>): string {
  const names = Object.keys(servers);
  return dump({
    apiVersion: "v1",
    kind: "Config",
    "current-context": names[0],
    clusters: names.map((name) => ({
      name,
      cluster: { server: servers[name], "insecure-skip-tls-verify": true },
    })),
    users: [{ name: "me", user: {} }],
    contexts: names.map((name) => ({ name, context: { cluster: name, user: "me" } })),
  });
}

/** A canary on trial, as such API servers route it. */
export function canaryAt(
  weight: number,
  more: Partial<Omit<CanaryRouting, "canary">> = {},
): CanaryRouting & { readonly canary: string } {
  return {
    service: "user-service",
    namespace: "user",
    stable: "v1",
    canary: "v2",
    weight,
    ...more,
  };
}

type VirtualService = ReturnType<typeof virtualService>;

/** What all pods have. */
interface PodTemplate {
  readonly metadata?: { readonly ownerReferences?: readonly object[] };
  readonly spec?: object;
  readonly status?: object;
}

const ISTIO = "/apis/networking.istio.io/v1";

/**
 * An API server that has VirtualServices and pods with a proxy, whose Envoys serve what they say at once. A test may
 * break what it likes of it.
 */
export class FakeApiServer {
  readonly #server: Server;
  url = "";
  readonly #objects = new Map<string, VirtualService>();
  #generation = 1;
  /** What ConfigMaps hold, by `namespace/name`. */
  readonly configMaps = new Map<string, Record<string, string>>();
  /** Why no ConfigMap may be written. @default it may */
  refusesNotes: string | undefined;
  /** Objects of any kind. While there is one, nothing else is answered from. */
  readonly others = new FakeObjects();
  /** Each request as `METHOD path`. */
  readonly requests: string[] = [];
  /** How many of them have asked for metadata alone. */
  briefs = 0;
  /** Names of the pods with a proxy. */
  proxies: readonly string[] = ["client"];
  /** Whether there are pods that no list matches behind the last one: a full page is not the last one then. */
  hasOtherPods = false;
  /** Versions of pods by their names. @default 1 */
  readonly podVersions = new Map<string, number>();
  /** More of a pod: real ones are large. */
  pod: PodTemplate = {};
  /** More of what an istiod tells of a proxy. */
  connection: object = {};
  /** The cluster's name in the mesh. */
  cluster = "cluster-a";
  /** Names of istiod's pods: each proxy is connected to one of them. */
  istiods: readonly string[] = [];
  /** How each istiod stands with clusters, by the pod's name. @default it reads none */
  readonly reads = new Map<string, Readonly<Record<string, string>>>();
  /** What each istiod has logged, by the pod's name. @default its log may not be read */
  readonly logs = new Map<string, string>();
  /** Proxies that have acknowledged nothing but what they had before. */
  readonly laggards = new Set<string>();
  /** Port-forwards to pods: all that there were, how many are open, and how many were at most. */
  readonly forwards = { all: 0, open: 0, most: 0 };
  /** Path of each port-forward. */
  readonly forwarded: string[] = [];
  /** Says why a write is refused, or lets it pass. */
  refuse: () => string | undefined = () => undefined;
  /** Percent of the canary that the Envoy serves. @default what the API server has */
  envoy: number | undefined;
  /** What the Envoys say of what they serve. */
  envoyAnswers: EnvoyAnswers = leastAnswers;
  /** Whether it accepts connections and says nothing. */
  silent = false;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
    const sockets = new WebSocketServer({
      server: this.#server,
      handleProtocols: ([first]) => first ?? "",
    });
    sockets.on("connection", (socket, request) => {
      this.forwards.all += 1;
      this.forwarded.push(new URL(request.url ?? "", "http://localhost").pathname);
      this.forwards.open += 1;
      this.forwards.most = Math.max(this.forwards.most, this.forwards.open);
      socket.on("close", () => {
        this.forwards.open -= 1;
      });
      const send = (content: string) => {
        socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(content)]));
      };
      // The number of the port comes first.
      send("\0\0");
      socket.on("message", (message: Buffer) => {
        const [, path = ""] = message.toString().split(" ", 2);
        const body = path.startsWith("/debug/syncz")
          ? JSON.stringify(this.#connections(request.url ?? ""))
          : path.startsWith("/clusters")
            ? this.envoyAnswers.endpoints(this.#served())
            : path.startsWith("/debug/clusterz")
              ? JSON.stringify(this.#reads(request.url ?? ""))
              : this.envoyAnswers.routes(this.#served());
        send(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      });
    });
  }

  static async start(...routes: readonly CanaryRouting[]): Promise<FakeApiServer> {
    const made = new FakeApiServer();
    for (const route of routes) made.put(route);
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    made.url = `http://127.0.0.1:${(made.#server.address() as AddressInfo).port}`;
    return made;
  }

  /** Makes a service's VirtualService, or changes it. */
  put(route: CanaryRouting): void {
    this.#objects.set(
      `${route.namespace}/${route.service}`,
      canaryRouteObjects(route).weights as VirtualService,
    );
    this.#generation += 1;
  }

  /** Percent of a service's canary. */
  weight(key = "user/user-service"): number {
    return splitOf(this.#objects.get(key)?.spec).weight;
  }

  /** The routing rules of a service. */
  http(key = "user/user-service"): readonly unknown[] {
    return this.#objects.get(key)?.spec.http ?? [];
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The object as the API server gives it. */
  #live(object: VirtualService) {
    const generation = this.#generation;
    return { ...object, metadata: { ...object.metadata, generation, resourceVersion: "1" } };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://localhost");
    this.requests.push(`${request.method ?? ""} ${path}`);
    if (request.headers.accept?.includes("PartialObjectMetadata")) this.briefs += 1;
    const body = await text(request);
    if (this.silent) return;
    const answer = (code: number, value: unknown) => {
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (this.others.all.length > 0) {
      const url = new URL(request.url ?? "", "http://localhost");
      const refused =
        request.method === "GET" || url.searchParams.has("dryRun") ? undefined : this.refuse();
      const found = this.others.answer(request.method ?? "", url, body);
      if (refused !== undefined) answer(403, { message: refused });
      else answer(found?.code ?? 404, found?.value ?? { message: "not found" });
      return;
    }
    const map = /\/namespaces\/([^/]+)\/configmaps\/([^/]+)$/.exec(path)?.slice(1).join("/");
    const key = /\/namespaces\/([^/]+)\/virtualservices\/([^/]+)$/.exec(path)?.slice(1).join("/");
    const object = key === undefined ? undefined : this.#objects.get(key);
    if (path === "/api/v1") {
      const kind = { name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: [] };
      answer(200, { kind: "APIResourceList", resources: [kind] });
    } else if (map !== undefined && request.method === "PATCH" && this.refusesNotes !== undefined) {
      answer(403, { message: this.refusesNotes });
    } else if (map !== undefined) {
      const data = this.configMaps.get(map);
      if (request.method === "PATCH") {
        const applied = (JSON.parse(body) as { data: Record<string, string> }).data;
        this.configMaps.set(map, { ...data, ...applied });
      }
      if (request.method === "PATCH" || data) answer(200, { data: this.configMaps.get(map) });
      else answer(404, { message: "not found" });
    } else if (path === ISTIO) {
      const kind = { name: "virtualservices", kind: "VirtualService", namespaced: true, verbs: [] };
      answer(200, { kind: "APIResourceList", resources: [kind] });
    } else if (path === `${ISTIO}/virtualservices`) {
      const label = searchParams.get("labelSelector") ?? "";
      const items = [...this.#objects.values()].filter(({ metadata }) => label in metadata.labels);
      answer(200, { items: items.map((each) => this.#live(each)) });
    } else if (path.endsWith("/log")) {
      const log = this.logs.get(path.split("/").at(-2) ?? "");
      if (log === undefined) answer(403, { message: "pods/log is forbidden" });
      else response.writeHead(200, { "content-type": "text/plain" }).end(log);
    } else if (path.endsWith("/pods")) {
      const ready = { name: "istio-proxy", ready: true, restartCount: 0 };
      const [owner] = this.pod.metadata?.ownerReferences ?? [];
      const isIstiod = searchParams.get("labelSelector") === "app=istiod";
      const names = isIstiod ? this.istiods : this.proxies;
      const limit = Number(searchParams.get("limit") ?? names.length);
      const begin = Number(searchParams.get("continue") ?? 0);
      const isBrief = request.headers.accept?.includes("PartialObjectMetadata") === true;
      const items = names.slice(begin, begin + limit).map((name) => ({
        metadata: {
          resourceVersion: String(this.podVersions.get(name) ?? 1),
          ...this.pod.metadata,
          name,
          namespace: isIstiod ? "istio-system" : "user",
          uid: `uid of ${name}`,
          // All pods whose names differ by their number are of one workload.
          ownerReferences: [{ ...owner, controller: true, uid: name.replace(/-\d+$/, "") }],
        },
        ...(!isBrief && {
          spec: { containers: [{ name: "istio-proxy" }, { name: "app" }], ...this.pod.spec },
          status: { containerStatuses: [ready], ...this.pod.status },
        }),
      }));
      const isLast = begin + limit >= names.length + (this.hasOtherPods ? 1 : 0);
      const shown = isBrief && items.length === 0 ? null : items;
      answer(200, { metadata: { continue: isLast ? "" : String(begin + limit) }, items: shown });
    } else if (key === undefined || !object) {
      answer(404, { message: "not found" });
    } else if (request.method === "PATCH") {
      const refused = this.refuse();
      if (refused === undefined) {
        const { spec } = JSON.parse(body) as { spec: Pick<VirtualService["spec"], "http"> };
        this.#objects.set(key, { ...object, spec: { ...object.spec, ...spec } });
        this.#generation += 1;
        answer(200, this.#live(object));
      } else answer(403, { message: refused });
    } else answer(200, this.#live(object));
  }

  /** What an istiod tells of the clusters that it reads. */
  #reads(path: string) {
    const known = this.reads.get(/\/pods\/([^/]+)\//.exec(path)?.[1] ?? "") ?? {};
    return Object.entries(known).map(([id, syncStatus]) => ({ id, syncStatus }));
  }

  /** What an istiod tells of the proxies that are connected to it; the generation is the number of its state. */
  #connections(path: string) {
    const index = this.istiods.findIndex((name) => path.includes(`/pods/${name}/`));
    const nonce = (state: number) =>
      `2030-01-01T00:00:00Z/${state}1b4e28ba-2fa1-41d2-883f-0016d3cca427`;
    return this.proxies
      .filter((_, i) => i % this.istiods.length === index)
      .map((name) => {
        const sent = nonce(this.#generation);
        const acked = this.laggards.has(name) ? nonce(this.#generation - 1) : sent;
        const nonces = {
          route_sent: sent,
          route_acked: acked,
          cluster_sent: sent,
          cluster_acked: sent,
        };
        return { ...this.connection, proxy: `${name}.user`, cluster_id: this.cluster, ...nonces };
      });
  }

  /** The services as the Envoys have them. */
  #served(): readonly EnvoyService[] {
    return [...this.#objects.values()].map(({ spec }) => {
      const { stable, canary = "", weight } = splitOf(spec);
      const [host = ""] = spec.hosts;
      return { host, hosts: spec.hosts, stable, canary, weight: this.envoy ?? weight };
    });
  }
}
