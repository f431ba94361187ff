import { canaryAt, FakeApiServer } from "../../helpers/fake-api-server.ts";
import { recordedAnswers, recordedConnection, recordedPod } from "./recorded.ts";

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

/** Starts the API servers of a fleet, whose pods, istiods and Envoys answer what those of the lab have answered. */
export async function startServers({ clusters, proxies, services, istiods }: FleetSize) {
  const names = serviceNames(services);
  const routes = names.map((service) => canaryAt(10, { service }));
  return Promise.all(
    Array.from({ length: clusters }, async (_, cluster) => {
      const server = await FakeApiServer.start(...routes);
      server.cluster = `cluster-${cluster}`;
      server.pod = recordedPod;
      server.connection = recordedConnection;
      server.envoyAnswers = recordedAnswers();
      server.proxies = Array.from(
        { length: proxies },
        (_each, i) => `${names[i % services] ?? ""}-${Math.floor(i / services)}`,
      );
      server.istiods = Array.from({ length: istiods }, (_each, i) => `istiod-${i}`);
      return server;
    }),
  );
}
