import type { DeployedSplit } from "../../deployed.ts";
import type { RoutingRules } from "../routing.ts";
import { versionName } from "../../version-name.ts";
import { virtualServiceSpec, type RuleDestination } from "./virtual-service-spec.ts";

function subset(entry: RuleDestination | undefined): string | undefined {
  return entry?.destination.subset;
}

/**
 * The subsets of the versions and the weight of a VirtualService's spec that this program has written. Its last rule
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
  const name = versionName(canary);
  return virtualServiceSpec.parse({ http }).http.map((rule) => ({
    ...rule,
    ...(rule.route.length > 1 && {
      route: rule.route.map((entry) => ({
        ...entry,
        weight: subset(entry) === name ? weight : 100 - weight,
      })),
    }),
  }));
}

/**
 * Every version that the rules name, also for requests that ask for it, and for mirrored ones.
 *
 * @param known versions that are told as they are written; others are told by their subsets
 */
export function versionsIn(http: RoutingRules, known: readonly string[] = []): readonly string[] {
  const names = virtualServiceSpec
    .parse({ http })
    .http.flatMap(({ route, mirror }) => [...route.map(subset), mirror?.subset]);
  const versions = new Map(known.map((version) => [versionName(version), version]));
  return [
    ...new Set(names.flatMap((name) => (name === undefined ? [] : [versions.get(name) ?? name]))),
  ];
}

/** The rules without a version: its share goes to the other one, and requests that ask for it are like all others. */
export function withoutVersion(http: RoutingRules, version: string): RoutingRules {
  const name = versionName(version);
  return virtualServiceSpec.parse({ http }).http.flatMap((rule) => {
    const route = rule.route.filter((entry) => subset(entry) !== name);
    if (route.length === 0) return [];
    const { mirror, mirrorPercentage, ...rest } = rule;
    const mirrored = mirror !== undefined && mirror.subset !== name;
    return [
      {
        ...rest,
        ...(mirrored && { mirror, mirrorPercentage }),
        route:
          route.length < rule.route.length
            ? route.map((entry) => ({ ...entry, weight: 100 }))
            : route,
      },
    ];
  });
}

/** The rules with the canary's share lowered where it is higher; all else stays as it is. */
export function loweredTo(http: RoutingRules, canary: string, weight: number): RoutingRules {
  return http.map((rule) =>
    splitOf({ http: [rule] }).weight > weight ? withWeight([rule], canary, weight)[0] : rule,
  );
}
