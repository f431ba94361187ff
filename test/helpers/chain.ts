import type { DeployedCluster, DeployedRoute } from "../../lib/deployed.ts";
import type { Wanted, WantedRoute } from "../../lib/release-rules.ts";
import type { Split } from "../../lib/weights.ts";
import type { ConfigOptions } from "./fixtures.ts";

/** The services of the chain that tests are about. */
export const ENTRY = "user/user-service";
export const FOLLOWER = "user/order-service";
const MARK = "x-istio-canary and baggage istio-canary";

/** A configuration with that chain. */
export const CHAIN = { services: 2, chain: true } as const satisfies ConfigOptions;

/**
 * A cluster of that chain whose entry is routed so.
 *
 * @param follower how the other service is routed. @default by the same versions, without a weight
 */
export function deployedChain(
  name: string,
  entry: Split,
  follower: Split = { ...entry, weight: 0 },
): DeployedCluster {
  const route = (split: Split): DeployedRoute => ({
    ...split,
    generation: 1,
    replaces: undefined,
    rules: [],
    images: { v1: "image:v1", v2: "image:v2", v3: "image:v3" },
  });
  const members = [ENTRY, FOLLOWER];
  return {
    name,
    unreachable: undefined,
    routes: new Map([
      [ENTRY, { ...route(entry), role: "entry", members, mark: MARK }],
      [FOLLOWER, { ...route(follower), role: "follower" }],
    ]),
  };
}

/** What a configuration wants of that chain. */
export function wantedChain(split: Split): Wanted {
  const route = (key: string, i: number, weight: number): WantedRoute => ({
    ...split,
    weight,
    key,
    path: `services[${i}]`,
    canaryImage: split.canary && `image:${split.canary}`,
    role: i === 0 ? "entry" : "follower",
  });
  return {
    routes: [route(ENTRY, 0, split.weight), route(FOLLOWER, 1, 0)],
    phases: [10, 30, 100],
    allow: [],
    quarantine: [],
    mark: MARK,
  };
}
