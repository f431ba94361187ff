import { afterAll, beforeAll, expect } from "vitest";

import type { MeshCluster } from "../../fleet/cluster.ts";
import { loadFromOutside, loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { ingressAddress } from "./lab.ts";

/** A client that calls has an answer within this time, in milliseconds: the route gives up after 10 s. */
const ANSWERED_MS = 20_000;

/** Where the clients of a test file stand. */
export interface Places {
  /** Clusters with a client that has a sidecar. Their API servers must live: they hand on its log. */
  readonly inMesh: readonly MeshCluster[];
  /** Clusters through whose ingress gateway a client outside of the mesh calls. */
  readonly outside: readonly MeshCluster[];
}

/** Clients that call the service while the tests of one file run. */
export class Load {
  readonly clients: LoadClient[] = [];

  /** Fails if a client was not answered by the service, or does not call it any more. */
  expectNoFailure(): void {
    for (const { name, answers } of this.clients) {
      expect(answers.length, name).toBeGreaterThan(100);
      expect(Date.now() - (answers.at(-1)?.at ?? 0), name).toBeLessThan(ANSWERED_MS);
      expect(
        answers.flatMap(({ at, failure }) =>
          failure === undefined ? [] : `${new Date(at).toISOString()} ${failure}`,
        ),
        name,
      ).toEqual([]);
    }
  }
}

/** Puts the test file that calls this under load, from its first test to its last. */
export function underLoad({ inMesh, outside }: Places): Load {
  const load = new Load();
  beforeAll(async () => {
    for (const cluster of inMesh) {
      load.clients.push(await loadInMesh(cluster, `http://${userService.host}/`));
    }
    for (const { name } of outside) {
      load.clients.push(loadFromOutside(name, userService.ingressHost, await ingressAddress(name)));
    }
  });
  afterAll(async () => {
    await Promise.all(load.clients.map((client) => client.stop()));
  });
  return load;
}
