import { afterAll, beforeAll, expect } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { loadFromOutside, loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { ingressAddress } from "./lab.ts";
import type { LabRelease } from "./release.ts";

/** A client that calls has an answer within this time, in milliseconds: the route gives up after 10 s. */
const ANSWERED_MS = 20_000;

/** Requests a second of each client: a test of a fault needs to see a failure, not to measure a share. */
const RATE = 5;

/** Where the clients of a test file stand. */
export interface Places {
  /** Clusters with a client that has a sidecar. Their API servers must live: they serve its log. */
  readonly inMesh: readonly ClusterClient[];
  /** Clusters through whose ingress gateway a client outside of the mesh calls. */
  readonly outside: readonly ClusterClient[];
  /** The same for a client that asks for the canary. @default none */
  readonly testers?: readonly ClusterClient[];
}

/**
 * Fails if a client was not answered, or does not call any more.
 *
 * @param since milliseconds since the epoch. @default from its first request on
 */
export function expectAnswered(clients: readonly LoadClient[], since = 0): void {
  for (const { name, answers } of clients) {
    const own = answers.filter(({ at }) => at >= since);
    expect(own.length, name).toBeGreaterThan(100);
    expect(Date.now() - (own.at(-1)?.at ?? 0), name).toBeLessThan(ANSWERED_MS);
    expect(
      own.flatMap(({ at, failure }) =>
        failure === undefined ? [] : `${new Date(at).toISOString()} ${failure}`,
      ),
      name,
    ).toEqual([]);
  }
}

/** Clients that call the service while the tests of one file run. */
export class Load {
  readonly clients: LoadClient[] = [];

  /** @param since milliseconds since the epoch. @default from the first request on */
  expectNoFailure(since = 0): void {
    expectAnswered(this.clients, since);
  }
}

/** Puts the release of the test file that calls this under load, from its first test to its last. */
export function underLoad(
  { service }: LabRelease,
  { inMesh, outside, testers = [] }: Places,
): Load {
  const load = new Load();
  beforeAll(async () => {
    for (const cluster of inMesh) {
      load.clients.push(await loadInMesh(cluster, `http://${service.host}/`, RATE));
    }
    for (const { name } of outside) {
      const address = await ingressAddress(name);
      load.clients.push(loadFromOutside(name, service.ingressHost, address, RATE));
    }
    for (const { name } of testers) {
      const address = await ingressAddress(name);
      const asks = { "x-canary": "true" };
      load.clients.push(loadFromOutside(name, service.ingressHost, address, RATE, asks));
    }
  });
  afterAll(async () => {
    await Promise.all(load.clients.map((client) => client.stop()));
  });
  return load;
}
