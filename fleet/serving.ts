import { until } from "../lib/until.ts";
import type { WhoCounts } from "../lib/who-counts.ts";
import { Fleet } from "./ask-fleet.ts";
import { Behind } from "./ask-pods.ts";
import type { ClusterClient } from "./cluster-client.ts";
import type { EnvoyRoutes } from "./routing/cluster-routing.ts";
import { clusterRouting } from "./routing/index.ts";

/** How many Envoys of a cluster serve what they should. */
export interface Serving {
  /** Envoys that were asked and route to the services, and others of whom it is not known that they serve it. */
  readonly envoys: number;
  /** Those of them that serve it. */
  readonly serving: number;
  /** How many others have acknowledged it to their istiod. */
  readonly acknowledged: number;
}

/** For each service that an Envoy routes to whether it serves what it should. */
type Shown = readonly boolean[];

/** An Envoy that serves something else. */
class ServesOther extends Behind {
  readonly shown: Shown;

  constructor(shown: Shown) {
    super("serves something else");
    this.shown = shown;
  }
}

/** How long a pod that has just died may still be listed, in milliseconds. */
const STILL_LISTED_MS = 3_000;
/** Rounds in which proxies are asked themselves of which istiods say too little. */
const ROUNDS = 3;

/**
 * Counts who serves what the services should have. Who is asked, and what counts for all others, is as for a
 * confirmation; nobody is waited for.
 *
 * @param services the hosts of each
 * @param serves whether an Envoy serves what a service should have
 * @throws if one that is asked does not answer
 */
export async function servingIn(
  cluster: ClusterClient,
  services: readonly (readonly string[])[],
  serves: (routes: EnvoyRoutes, service: number) => boolean,
  { askEnvoys, who }: { readonly askEnvoys: number; readonly who: WhoCounts },
): Promise<Serving> {
  const options = { kind: "route", askEnvoys, who, patienceMs: 0 } as const;
  const fleet = new Fleet(cluster, options, async (pod) => {
    const routes = await clusterRouting.served(cluster, pod, services);
    const shown = routes.flatMap((each, i) => (each ? [serves(each, i)] : []));
    if (shown.includes(false)) throw new ServesOther(shown);
    return { value: shown, holds: routes.map((each) => each !== undefined) };
  });
  const look = () =>
    until(
      `every Envoy of ${cluster.name} to tell its routes`,
      async () => {
        const round = await fleet.round(() => cluster.proxies());
        const silent = round.silent.find(({ error }) => !(error instanceof ServesOther));
        if (silent) throw silent.error;
        return round;
      },
      { timeoutMs: STILL_LISTED_MS, everyMs: 500 },
    );
  let round = await look();
  for (let i = 1; i < ROUNDS && round.unknown.length > 0; i++) round = await look();
  const { confirmations, silent, pending, unknown, acknowledged } = round;
  const shown = [
    ...confirmations.flatMap(({ value }) => value),
    ...silent.flatMap(({ error }) => (error instanceof ServesOther ? error.shown : [])),
  ];
  return {
    envoys: shown.length + pending.length + unknown.length,
    serving: shown.filter(Boolean).length,
    acknowledged,
  };
}
