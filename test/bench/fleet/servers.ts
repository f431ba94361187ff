import { readFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
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

/** What a pod with a sidecar has, as the lab's API server has given it, without addresses and the node's name. */
const recordedPod = z
  .object({ metadata: z.looseObject({}), spec: z.looseObject({}) })
  .parse(recorded("pod"));
/** What the lab's istiod tells of a proxy beside its name and cluster. */
const recordedConnection = z.looseObject({}).parse(recorded("connection"));

function recorded(name: string): unknown {
  const file = path.join(import.meta.dirname, "recorded", `${name}.json`);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Starts the API servers of a fleet, and gives their URLs. */
async function start({ clusters, proxies, services, istiods }: FleetSize) {
  const names = serviceNames(services);
  const routes = names.map((service) => canaryAt(10, { service }));
  return Promise.all(
    Array.from({ length: clusters }, async (_, cluster) => {
      const server = await FakeApiServer.start(...routes);
      server.cluster = `cluster-${cluster}`;
      server.podMetadata = recordedPod.metadata;
      server.podSpec = recordedPod.spec;
      server.connection = recordedConnection;
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
