import { awayProblems, isBehind } from "./away-rules.ts";
import { chainProblems, markedShare, serving, wantedShare } from "./chain-rules.ts";
import { leastShareOf, shareOf, type DeployedCluster, type DeployedRoute } from "./deployed.ts";
import { allOf } from "./enumerate.ts";
import { exceptionFix, type Exception } from "./exceptions.ts";
import type { ChainRole } from "./mark.ts";
import { podDifferences, type PodDifference, type PodKey, type Pods } from "./pods.ts";
import { PORT_KEYS, SHAPE_KEYS } from "./pod-shape.ts";
import type { Problem } from "./problems.ts";
import { CONFIG_PARTS } from "./version-config.ts";
import type { Split } from "./weights.ts";

/** One weight for all clusters, and those in which it is not in force. */
export interface FleetWeight {
  /** Percent of requests for the canary. */
  readonly weight: number;
  /** Names of the clusters whose clients send it nothing, except requests that ask for it. */
  readonly quarantine: readonly string[];
}

/** Percent of requests that the canary is to get from the clients in one cluster. */
export function weightIn({ weight, quarantine }: FleetWeight, cluster: string): number {
  return quarantine.includes(cluster) ? 0 : weight;
}

/** How a service is to be routed, in every cluster that is not in quarantine. */
export interface WantedRoute extends Split {
  /** The service, as `namespace/service`. */
  readonly key: string;
  /** Where it is in the configuration: `services[0]`. */
  readonly path: string;
  /** @default its owner decides */
  readonly canaryImage: string | undefined;
  /** What decides the container, by version. @default its owner decides */
  readonly pods?: Readonly<Record<string, Pods>> | undefined;
  /** What it is in a chain; a follower's weight is 0. @default it is in none */
  readonly role?: ChainRole | undefined;
}

/** What the configuration wants of a release. */
export interface Wanted {
  readonly routes: readonly WantedRoute[];
  /** The weights of a release, rising to 100. */
  readonly phases: readonly number[];
  readonly allow: readonly Exception[];
  /** Names of the clusters in quarantine. */
  readonly quarantine: readonly string[];
  /** Names of the clusters of which nothing is known. @default none */
  readonly away?: readonly string[] | undefined;
  /** How the chain's entries mark, in words. @default there is no chain */
  readonly mark?: string | undefined;
}

/** How a service is to be routed in one cluster. */
export function wantedIn(
  { quarantine }: Pick<Wanted, "quarantine">,
  route: WantedRoute,
  cluster: string,
): WantedRoute {
  return { ...route, weight: weightIn({ weight: route.weight, quarantine }, cluster) };
}

/** Whether the canary's share is to rise, for the requests to any of the service's hosts. */
export function isToRise(route: DeployedRoute, { canary, weight }: WantedRoute): boolean {
  return canary !== undefined && leastShareOf(route, canary) < weight;
}

/** Whether the canary's share is to fall, in favour of the version that is the stable one already. */
export function isToFall(route: DeployedRoute, { stable, canary, weight }: WantedRoute): boolean {
  return route.stable === stable && route.canary === canary && weight < route.weight;
}

/** A cluster in which a service's canary is to get another share. */
export interface Move {
  readonly cluster: string;
  /** How it is to be there. */
  readonly wanted: WantedRoute;
  readonly route: DeployedRoute;
}

function moves(
  deployed: readonly DeployedCluster[],
  all: Wanted,
  isToMove: (route: DeployedRoute, wanted: WantedRoute) => boolean,
): readonly Move[] {
  return deployed.flatMap((cluster) =>
    all.routes.flatMap((each) => {
      const route = cluster.routes.get(each.key);
      const wanted = wantedIn(all, each, cluster.name);
      return route && isToMove(route, wanted) ? [{ cluster: cluster.name, wanted, route }] : [];
    }),
  );
}

/** Where the canary's share is to rise. */
export function rises(deployed: readonly DeployedCluster[], wanted: Wanted): readonly Move[] {
  return moves(deployed, wanted, isToRise);
}

/** Where the canary's share is to fall, in favour of the version that is the stable one already. */
export function falls(deployed: readonly DeployedCluster[], wanted: Wanted): readonly Move[] {
  return moves(deployed, wanted, isToFall);
}

function names(clusters: readonly { readonly name: string }[]): string {
  return clusters.map(({ name }) => name).join(", ");
}

/** A cluster that has the service, how it is routed there and how it is to be. */
type Known = DeployedCluster & { readonly route: DeployedRoute; readonly wanted: WantedRoute };

/**
 * The rules that going from what is deployed to what is wanted would violate. A canary rises one phase at a
 * time, the same in all clusters that are not in quarantine; the versions stay what they are while
 * both serve; going back is always allowed. A service that is new begins at weight 0: nothing checks or confirms the
 * weight with which a route is created.
 */
export function releaseProblems(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
): readonly Problem[] {
  const problems = wanted.routes.flatMap((route) => {
    const known = knownOf(deployed, wanted, route);
    return [
      ...unreachableProblems(deployed, known, route),
      ...awayProblems(known, route, wanted),
      ...versionProblems(known, route, wanted),
      ...(route.role === "follower" ? [] : weightProblems(deployed, known, route, wanted)),
    ];
  });
  return [...chainProblems(deployed, wanted), ...problems];
}

/** The clusters that have a service; of a chain's follower, with the share of what is marked. */
function knownOf(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
  route: WantedRoute,
): readonly Known[] {
  const marked = markedShare(deployed);
  return deployed.flatMap((cluster): Known[] => {
    const found = cluster.routes.get(route.key);
    // Quarantine is about clients of entries; what others have marked reaches every follower.
    const here =
      route.role === "follower"
        ? serving(route, wantedShare(wanted))
        : wantedIn(wanted, route, cluster.name);
    return found ? [{ ...cluster, route: serving(found, marked), wanted: here }] : [];
  });
}

/** What a version's pods would be rolled for in a cluster in which they serve requests. */
function rebuiltIn(
  { route }: Known,
  version: string | undefined,
  pods: WantedRoute["pods"],
): readonly PodDifference[] {
  if (version === undefined || shareOf(route, version) === 0) return [];
  const [there, to] = [route.pods?.[version], pods?.[version]];
  return there && to ? podDifferences(there, to) : [];
}

/** The clusters that have fallen behind the others in a service's versions; see isBehind. */
export function clustersBehind(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
  route: WantedRoute,
): readonly string[] {
  const known = knownOf(deployed, wanted, route);
  return known.filter((each) => isBehind(each, known, route, wanted)).map(({ name }) => name);
}

/**
 * The services of which a version serves requests and gets another configuration under its name, as `namespace/service`:
 * they are rolled cluster by cluster.
 */
export function rebuiltServices(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
): readonly string[] {
  return wanted.routes
    .filter((route) =>
      knownOf(deployed, wanted, route).some((cluster) =>
        [route.stable, route.canary].some(
          (version) => rebuiltIn(cluster, version, route.pods).length > 0,
        ),
      ),
    )
    .map(({ key }) => key);
}

const PORT_FIX = () =>
  "No pod that runs has the port that the Service would lead to at once. Add a further port (morePorts), or another service, and move the clients.";

const POD_KEYS = [
  "image",
  "env",
  "args",
  "resources",
  "template",
  ...SHAPE_KEYS,
  ...CONFIG_PARTS,
] as const satisfies readonly PodKey[];

/** Whether only the service has the key, so that no version can have another value of its own. */
function isOfService(key: PodKey): boolean {
  const keys: readonly PodKey[] = ["template", ...SHAPE_KEYS, ...PORT_KEYS];
  return keys.includes(key);
}

/** Where the configuration says a key of a version. */
function placeOf(key: PodKey, path: string, role: "stable" | "canary"): string {
  if (key === "targetPort") return `${path}.morePorts`;
  return isOfService(key) ? `${path}.${key}` : `${path}.${role}.${key}`;
}

/**
 * A version that serves requests keeps what its pods are made of: all clusters would roll them at once, and no weight
 * would hold back what is wrong with it.
 */
function rebuiltProblems(
  known: readonly Known[],
  { path, key, pods }: WantedRoute,
  role: "stable" | "canary",
  version: string | undefined,
  keys: readonly PodKey[],
  fixOf: (key: PodKey) => string,
): Problem[] {
  return keys.flatMap((of) => {
    const fix = fixOf(of);
    const found = known.flatMap((cluster) => {
      const difference = rebuiltIn(cluster, version, pods).find((each) => each.key === of);
      return difference ? [{ cluster, difference }] : [];
    });
    const [first] = found;
    if (!first || version === undefined) return [];
    const names = [...new Set(found.flatMap(({ difference }) => difference.names ?? []))];
    const { name, route } = first.cluster;
    const serves = `while ${version} serves ${shareOf(route, version)} % of ${key} in ${allOf(found.map(({ cluster }) => cluster.name))}`;
    return [
      of === "image"
        ? {
            path: `${path}.${role}.image`,
            value: pods?.[version]?.image,
            rule: `must stay ${route.pods?.[version]?.image ?? ""} ${serves}`,
            fix,
          }
        : {
            path: placeOf(of, path, role),
            rule: `must stay what ${name} has${names.length > 0 ? ` for ${allOf(names)}` : ""} ${serves}`,
            fix: `What the service's own ${of} says is for all versions. ${fix}`,
          },
    ];
  });
}

function isAway({ unreachable }: DeployedCluster): boolean {
  return unreachable !== undefined;
}

/**
 * How to go on without clusters that cannot be updated, as a sentence that follows another; nothing where no other
 * cluster answers.
 *
 * @param count how many cannot be updated
 * @param others how many can
 */
export function ifStaysAway(count: number, others: number): string {
  return others === 0
    ? ""
    : ` If ${count === 1 ? "it" : "one"} stays away, release the others without it: docs/operations.md#a-cluster-that-is-away.`;
}

/** Nothing is known about a cluster that does not answer, so nothing may rise, and no version change. */
function unreachableProblems(
  deployed: readonly DeployedCluster[],
  known: readonly Known[],
  wanted: WantedRoute,
): Problem[] {
  const away = deployed.filter(isAway);
  if (away.length === 0) return [];
  const fix = `Fix that first (${away.map((each) => `${each.name}: ${each.unreachable ?? ""}`).join("; ")}). A lower weight is always allowed.${ifStaysAway(away.length, deployed.length - away.length)}`;
  const stays = (share: (cluster: Known) => boolean) => known.length > 0 && known.every(share);
  return [
    ...(wanted.canary !== undefined &&
    wanted.weight > 0 &&
    !stays(({ route, wanted: here }) => shareOf(route, here.canary) >= here.weight)
      ? [
          {
            path: "weight",
            value: wanted.weight,
            rule: `must not rise while ${names(away)} cannot be reached`,
            fix,
          },
        ]
      : []),
    ...(known.some(({ route }) => route.stable !== wanted.stable || route.canary !== wanted.canary)
      ? [
          {
            path: wanted.path,
            rule: `must keep its versions while ${names(away)} cannot be reached`,
            fix,
          },
        ]
      : []),
  ];
}

function versionProblems(
  known: readonly Known[],
  wanted: WantedRoute,
  { allow, quarantine }: Wanted,
): Problem[] {
  const { stable, canary, path, key } = wanted;
  const inStep = known.filter((cluster) => !isBehind(cluster, known, wanted, { quarantine }));
  const taken = inStep.filter(
    ({ route, wanted: here }) =>
      !route.unnamed && route.stable !== stable && shareOf(route, stable) < shareOf(here, stable),
  );
  const quarantined = taken.filter(({ name }) => quarantine.includes(name));
  const dropped = inStep.filter(
    ({ route, wanted: here }) =>
      route.stable === stable &&
      route.canary !== canary &&
      route.weight > 0 &&
      shareOf(here, route.canary) < route.weight,
  );
  const rebuilt = known.filter(
    ({ route }) =>
      canary !== undefined &&
      wanted.canaryImage !== undefined &&
      route.canary === canary &&
      route.weight > 0 &&
      (route.images[canary] ?? wanted.canaryImage) !== wanted.canaryImage,
  );
  // A version that was the stable one when it was deployed, or is to be it now, is released already.
  const beganAsCanary = known.filter(({ route }) => route.canary === canary);
  const others = known.filter(({ route }) => route.canary !== canary);
  const replaceFix = (key: PodKey) =>
    `${isOfService(key) ? "" : "Release it as a canary, under another version name. "}${exceptionFix("replace-stable", allow)}`;
  const first = (clusters: readonly Known[]) => clusters[0]?.route;
  return [
    ...(taken.length > 0 && !allow.includes("change-stable")
      ? [
          {
            path: `${path}.stable.version`,
            value: stable,
            rule: `must stay ${first(taken)?.stable ?? ""} until ${stable} serves 100 % as the canary; it serves ${shareOf(first(taken) ?? wanted, stable)} % of ${key} in ${names(taken)}`,
            fix:
              (quarantined.length > 0
                ? `Take ${names(quarantined)} out of quarantine first, with ${stable} as the canary at 100. `
                : `Make ${stable} the canary and raise its weight to 100 first. `) +
              exceptionFix("change-stable", allow),
          },
        ]
      : []),
    ...(dropped.length > 0 && !allow.includes("change-canary")
      ? [
          {
            path: `${path}.canary.version`,
            value: canary ?? null,
            rule: `must stay ${first(dropped)?.canary ?? ""} while it serves ${first(dropped)?.weight ?? 0} % of ${key} in ${names(dropped)}`,
            fix: `Take its weight back to 0 first. ${exceptionFix("change-canary", allow)}`,
          },
        ]
      : []),
    ...(rebuilt.length > 0 && !allow.includes("change-canary")
      ? [
          {
            path: `${path}.canary.image`,
            value: wanted.canaryImage,
            rule: `must stay ${first(rebuilt)?.images[canary ?? ""] ?? ""} while ${canary ?? ""} serves ${first(rebuilt)?.weight ?? 0} % of ${key} in ${names(rebuilt)}`,
            fix: `Take its weight back to 0 first. ${exceptionFix("change-canary", allow)}`,
          },
        ]
      : []),
    ...(allow.includes("change-canary")
      ? []
      : rebuiltProblems(
          beganAsCanary,
          wanted,
          "canary",
          canary,
          // Another image is refused above, whoever has written the one that is there.
          POD_KEYS.filter((each) => each !== "image"),
          () => `Take its weight back to 0 first. ${exceptionFix("change-canary", allow)}`,
        )),
    // Whatever is allowed: its port is the Service's too, and that changes at once.
    ...[
      ...rebuiltProblems(known, wanted, "stable", stable, PORT_KEYS, PORT_FIX),
      ...rebuiltProblems(known, wanted, "canary", canary, PORT_KEYS, PORT_FIX),
    ].filter(({ path: place }, i, all) => all.findIndex((each) => each.path === place) === i),
    ...(allow.includes("replace-stable")
      ? []
      : [
          ...rebuiltProblems(known, wanted, "stable", stable, POD_KEYS, replaceFix),
          ...rebuiltProblems(others, wanted, "canary", canary, POD_KEYS, replaceFix),
        ]),
  ];
}

/** What a cluster serves, and who has made it so if that was no update: `100 % in cluster-b (written by kubectl-edit)`. */
function told({ name, share, least, writtenBy }: Served): string {
  const range = least === share ? `${share} %` : `${least} to ${share} %, by host,`;
  return `${range} in ${name}${writtenBy === undefined ? "" : ` (written by ${writtenBy})`}`;
}

/** What the canary gets in one cluster. */
interface Served {
  readonly name: string;
  readonly share: number;
  readonly least: number;
  readonly writtenBy: string | undefined;
}

function weightProblems(
  deployed: readonly DeployedCluster[],
  known: readonly Known[],
  { key, canary, weight }: WantedRoute,
  { phases, allow, quarantine }: Wanted,
): Problem[] {
  if (canary === undefined) return [];
  const problem = (rule: string, fix: string): Problem => ({
    path: "weight",
    value: weight,
    rule,
    fix,
  });
  if (known.length === 0) {
    // Of a cluster that does not answer nobody knows; another rule says so.
    return weight === 0 || allow.includes("skip-phase") || deployed.some(isAway)
      ? []
      : [
          problem(
            `must be 0 as long as ${key} has no routes in any cluster`,
            `First: pulumi config set weight 0 && pulumi up. Where other services are on trial already, add ${key} without its canary until they are done. ${exceptionFix("skip-phase", allow)}`,
          ),
        ];
  }
  const shares = known
    .filter(({ name }) => !quarantine.includes(name))
    .map(({ name, route }) => ({
      name,
      share: shareOf(route, canary),
      least: leastShareOf(route, canary),
      writtenBy: route.writtenBy,
    }));
  const highest = Math.max(0, ...shares.map(({ share }) => share));
  const passed = Math.max(
    0,
    ...shares.flatMap(({ share, writtenBy }) => (writtenBy === undefined ? [share] : [])),
  );
  // Up to what the checks have let one cluster serve, an update that has stopped half-way is completed, and a
  // cluster that comes out of quarantine joins the others.
  const stays = shares.length > 0 && shares.every(({ least }) => weight <= least);
  if (weight <= passed || stays) return [];
  const fresh = deployed.filter(
    (cluster) => cluster.unreachable === undefined && !cluster.routes.has(key),
  );
  if (fresh.length > 0) {
    return [
      problem(
        `must stay ${highest} until ${names(fresh)} has ${key} too`,
        `First, with the new cluster: pulumi config set weight ${phases.findLast((phase) => phase <= highest) ?? 0} && pulumi up`,
      ),
    ];
  }
  // No cluster that answers is to rise.
  if (shares.length === 0) return [];
  const behind = shares.find(({ share, least }) => share !== highest || least !== highest);
  if (behind) {
    return [
      problem(
        `must not rise while the clusters differ: ${canary} of ${key} serves ${shares.map(told).join(", ")}`,
        `First make them the same: pulumi config set weight ${phases.findLast((phase) => phase <= passed) ?? 0} && pulumi up. ` +
          `If ${behind.name} is supposed to serve 0 %: pulumi config set --path 'quarantine[${quarantine.length}]' ${behind.name}`,
      ),
    ];
  }
  const next = phases.find((phase) => phase > highest);
  return weight === next || allow.includes("skip-phase")
    ? []
    : [
        problem(
          `must rise one phase at a time: ${canary} of ${key} serves ${highest} % in ${shares.map(({ name }) => name).join(", ")}`,
          `Set it with: pulumi config set weight ${next ?? 100}. ${exceptionFix("skip-phase", allow)}`,
        ),
      ];
}
