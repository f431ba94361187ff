import type { DeployedCluster, DeployedRoute } from "../../lib/deployed.ts";
import type { Exception } from "../../lib/exceptions.ts";
import type { Wanted } from "../../lib/release-rules.ts";
import type { Split } from "../../lib/weights.ts";

/** The service that the releases of tests are about. */
export const KEY = "user/user-service";

/** A cluster that routes the service so, or does not have it yet. */
export function deployedCluster(name: string, live: Split | undefined): DeployedCluster {
  const route: DeployedRoute | undefined = live && {
    ...live,
    generation: 1,
    replaces: undefined,
    rules: [],
    images: { v1: "image:v1", v2: "image:v2", v3: "image:v3", v4: "image:v4" },
  };
  return { name, unreachable: undefined, routes: new Map(route ? [[KEY, route]] : []) };
}

/** What a configuration wants of the service. */
export function wantedRelease(
  split: Split,
  allow: readonly Exception[] = [],
  image?: string,
  quarantine: readonly string[] = [],
  away: readonly string[] = [],
): Wanted {
  const canaryImage = image ?? (split.canary && `image:${split.canary}`);
  return {
    routes: [{ ...split, key: KEY, path: "services[0]", canaryImage }],
    phases: [10, 30, 100],
    allow,
    quarantine,
    away,
  };
}

/** Shorthand for versions and a weight. */
export function split(stable: string, canary?: string, weight = 0): Split {
  return { stable, canary, weight };
}
