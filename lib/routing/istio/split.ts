import type { DeployedSplit } from "../../deployed.ts";
import type { RoutingRules } from "../routing.ts";
import { virtualServiceSpec, type RuleDestination } from "./virtual-service-spec.ts";

function subset(entry: RuleDestination | undefined): string | undefined {
  return entry?.destination.subset;
}

/**
 * The versions and the weight of a VirtualService's spec that this program has written. Its last rule
 * is the one that requests to the service's own host take. Somebody may have changed another host's
 * weight alone.
 */
export function splitOf(spec: unknown): DeployedSplit {
  const { http } = virtualServiceSpec.parse(spec);
  const [stable, canary] = http.at(-1)?.route ?? [];
  const version = subset(canary);
  const weights = http
    .filter(({ route }) => route.length > 1)
    .flatMap(({ route }) => route.filter((entry) => subset(entry) === version))
    .map(({ weight }) => weight ?? 0);
  const highest = Math.max(0, ...weights);
  const least = Math.min(highest, ...weights);
  return {
    stable: subset(stable) ?? "",
    canary: version,
    weight: highest,
    ...(least < highest && { leastWeight: least }),
  };
}

/** The rules with the canary's share set in all of them; all else stays as it is. */
export function withWeight(http: RoutingRules, canary: string, weight: number): RoutingRules {
  return virtualServiceSpec.parse({ http }).http.map((rule) => ({
    ...rule,
    ...(rule.route.length > 1 && {
      route: rule.route.map((entry) => ({
        ...entry,
        weight: subset(entry) === canary ? weight : 100 - weight,
      })),
    }),
  }));
}

/** The rules with the canary's share lowered where it is higher; all else stays as it is. */
export function loweredTo(http: RoutingRules, canary: string, weight: number): RoutingRules {
  return http.map((rule) =>
    splitOf({ http: [rule] }).weight > weight ? withWeight([rule], canary, weight)[0] : rule,
  );
}
