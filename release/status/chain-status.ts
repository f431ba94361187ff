import { oneOf } from "../../lib/enumerate.ts";
import type { ChainPart } from "../../lib/chain-view.ts";
import type { DeployedCluster } from "../../lib/deployed.ts";
import { servedIn } from "../../lib/served.ts";

/** How the services of a chain are routed in each cluster that answers. */
export interface ChainStatus {
  /** How the entries mark, in words. @default no cluster has an entry */
  readonly mark?: string;
  readonly services: readonly ChainPart[];
}

/** The chain that the clusters serve, or undefined where they serve none. */
export function chainStatus(deployed: readonly DeployedCluster[]): ChainStatus | undefined {
  const services = deployed.flatMap((cluster) =>
    [...servedIn(cluster).routes].flatMap(([service, { role, stable, canary, weight }]) =>
      role === undefined
        ? []
        : [
            {
              service,
              role,
              cluster: cluster.name,
              stable,
              canary,
              share: canary === undefined ? 0 : weight,
            },
          ],
    ),
  );
  if (services.length === 0) return undefined;
  const marks = new Set(
    deployed.flatMap(({ routes }) => [...routes.values()].flatMap(({ mark }) => mark ?? [])),
  );
  return { ...(marks.size > 0 && { mark: oneOf([...marks].sort()) }), services };
}
