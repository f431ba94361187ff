import { canaryAt, FakeApiServer } from "../../helpers/fake-api-server.ts";

/** What is simulated. */
export interface FleetSize {
  readonly clusters: number;
  readonly proxies: number;
  readonly services: number;
  readonly istiods: number;
}

/** Names of the simulated services: a pod of each in turn is a proxy. */
export function serviceNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `service-${i}`);
}

/** About as much as injection adds to a pod. */
function spec() {
  const env = Array.from({ length: 25 }, (_, i) => ({
    name: `ISTIO_META_${i}`,
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels" } },
  }));
  const mounts = Array.from({ length: 8 }, (_, i) => ({ name: `volume-${i}`, mountPath: `/${i}` }));
  const probe = { httpGet: { path: "/healthz/ready", port: 15021 }, periodSeconds: 15 };
  const container = { image: "example.com/proxyv2:1", env, volumeMounts: mounts };
  return {
    containers: [
      { ...container, name: "istio-proxy", readinessProbe: probe, startupProbe: probe },
      { ...container, name: "app", readinessProbe: probe },
    ],
    initContainers: [{ ...container, name: "istio-init" }],
    volumes: mounts.map(({ name }) => ({ name, emptyDir: {} })),
  };
}

/** Starts the API servers of a fleet, and gives their URLs. */
async function start({ clusters, proxies, services, istiods }: FleetSize) {
  const names = serviceNames(services);
  const routes = names.map((service) => canaryAt(10, { service }));
  return Promise.all(
    Array.from({ length: clusters }, async (_, cluster) => {
      const server = await FakeApiServer.start(...routes);
      server.cluster = `cluster-${cluster}`;
      server.podSpec = spec();
      server.proxies = Array.from(
        { length: proxies },
        (_each, i) => `${names[i % services] ?? ""}-${Math.floor(i / services)}`,
      );
      server.istiods = Array.from({ length: istiods }, (_each, i) => `istiod-${i}`);
      return server;
    }),
  );
}

/** In a process of its own, so that its time and memory are not the program's. */
if (process.send) {
  const servers = await start(JSON.parse(process.argv[2] ?? "") as FleetSize);
  process.send(servers.map(({ url }) => url));
  process.on("message", () => {
    process.send?.(
      servers.map(({ requests, forwards }) => ({
        lists: requests.filter((request) => request.endsWith("/pods")).length,
        forwards: forwards.all,
      })),
    );
  });
}
