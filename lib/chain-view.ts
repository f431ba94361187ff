import type { ChainRole } from "./mark.ts";

/** A service of a chain in one cluster, as people are shown it. */
export interface ChainPart {
  /** The service, as `namespace/name`. */
  readonly service: string;
  readonly role: ChainRole;
  readonly cluster: string;
  readonly stable: string;
  /** @default it has none, marked requests go on from its stable version */
  readonly canary?: string | undefined;
  /** Percent of the requests of the cluster's clients that the canary gets; 0 without one. */
  readonly share: number;
}

/** A service of a chain in all clusters, as texts: what differs is told by cluster. */
export interface ChainRow {
  readonly service: string;
  readonly role: ChainRole;
  readonly stable: string;
  readonly canary: string;
  readonly clusters: string;
  readonly share: string;
}

/** The services that requests pass on one of the two ways through a chain, each with its version. */
export interface Lane {
  /** Percent of the requests, and whether they are marked. */
  readonly label: string;
  readonly entries: readonly string[];
  readonly followers: readonly string[];
}

const percent = (share: number) => `${share} %`;

/** The value that most clusters have, and those of the others: `10 % (cluster-b: 0 %)`. */
function byCluster(values: readonly (readonly [cluster: string, value: string])[]): string {
  const clusters = Map.groupBy(values, ([, value]) => value);
  const [most, ...others] = [...clusters].toSorted(([, a], [, b]) => b.length - a.length);
  if (!most) return "none";
  const rest = others.flatMap(([, those]) => those).map((each) => each.join(": "));
  return rest.length === 0 ? most[0] : `${most[0]} (${rest.join(", ")})`;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The parts of each service, entries first, by name and cluster. */
function services(parts: readonly ChainPart[]): readonly (readonly [string, ChainPart[]])[] {
  const sorted = parts.toSorted(
    (a, b) =>
      byText(a.role, b.role) || byText(a.service, b.service) || byText(a.cluster, b.cluster),
  );
  return [...Map.groupBy(sorted, ({ service }) => service)];
}

const texts = (parts: readonly ChainPart[], of: (part: ChainPart) => string) =>
  byCluster(parts.map((part) => [part.cluster, of(part)] as const));

/** A row for each service, entries first. */
export function chainRows(parts: readonly ChainPart[]): readonly ChainRow[] {
  return services(parts).flatMap(([service, own]) => {
    const role = own[0]?.role;
    return role
      ? [
          {
            service,
            role,
            stable: texts(own, ({ stable }) => stable),
            canary: texts(own, ({ canary }) => canary ?? "none"),
            clusters: own.map(({ cluster }) => cluster).join(", "),
            share: texts(own, ({ canary, share }) =>
              canary === undefined ? "none" : percent(share),
            ),
          },
        ]
      : [];
  });
}

/** The two ways through a chain: that of the requests which the entries leave to stable versions, and that of the marked ones. */
export function lanes(parts: readonly ChainPart[]): {
  readonly stable: Lane;
  /** @default no entry has a canary, so nothing is marked */
  readonly canary?: Lane;
} {
  const entries = parts.filter(({ role }) => role === "entry");
  const marked = [...Map.groupBy(entries, ({ cluster }) => cluster)]
    .toSorted(([a], [b]) => byText(a, b))
    .map(([cluster, own]) => [cluster, Math.max(...own.map(({ share }) => share))] as const);
  const label = (of: (share: number) => number) =>
    byCluster(marked.map(([cluster, share]) => [cluster, percent(of(share))] as const));
  const all = services(parts);
  const names = (
    role: ChainRole,
    version: (part: ChainPart) => string,
    passes: (part: ChainPart) => boolean = () => true,
  ) =>
    all.flatMap(([service, own]) =>
      own[0]?.role === role && own.some(passes) ? [`${service} ${texts(own, version)}`] : [],
    );
  const stable = (part: ChainPart) => part.stable;
  const canary = (part: ChainPart) => part.canary ?? `${part.stable}, no canary`;
  // One without a canary marks nothing.
  const marking = names("entry", canary, (part) => part.canary !== undefined);
  return {
    stable: {
      label: label((share) => 100 - share),
      entries: names("entry", stable),
      followers: names("follower", stable),
    },
    ...(marking.length > 0 && {
      canary: {
        label: `${label((share) => share)}, marked`,
        entries: marking,
        followers: names("follower", canary),
      },
    }),
  };
}
