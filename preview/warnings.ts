import { allOf } from "../lib/enumerate.ts";
import { namesOf } from "../stacks/schema/away.ts";
import type { Change } from "./changes.ts";
import { configured } from "./configured.ts";
import {
  clusterOf,
  list,
  objectName,
  parseUrn,
  record,
  type Digest,
  type State,
} from "./digest.ts";
import { stackOutputs, type Share } from "./traffic.ts";

/** A certificate authority that expires within this time is named, in days. */
const EXPIRY_DAYS = 30;
/** Resources that one warning names; the lists below it name all. */
const NAMED = 10;
/** Istio's charts that carry its version. */
const ISTIO_CHARTS = ["base", "istiod", "gateway"];

/** Everything in a preview that a reviewer must not miss, as lines of Markdown. */
export function warnings(
  digest: Digest,
  changed: readonly Change[],
  shares: readonly Share[],
  now: Date,
): readonly string[] {
  const quarantine = configured(digest, "quarantine");
  const away = configured(digest, "away");
  const apart = [...quarantine, ...namesOf(away)];
  return [
    ...lost(changed, "delete", "deleted"),
    ...lost(changed, "replace", "deleted and recreated"),
    // A follower of a chain has the share of the entries, of which all is told with them.
    ...skippedPhases(
      shares.filter(({ role }) => role !== "follower"),
      configured(digest, "phases"),
    ),
    ...unlike(shares.filter(({ cluster }) => !apart.includes(cluster))),
    ...quarantined(shares, quarantine),
    ...away.map(
      ({ name, drain }) =>
        `${name} is **away**: nothing is changed there, and its clients are sent to the versions as they were.` +
        (drain ? " It is **drained**: the other clusters send it no requests." : ""),
    ),
    ...istioVersions(digest),
    ...images(digest),
    ...expiring(stackOutputs(digest), changed, now),
  ];
}

function groups<T>(
  items: readonly T[],
  key: (item: T) => string,
): readonly (readonly [string, T[]])[] {
  const grouped = new Map<string, T[]>();
  for (const item of items) grouped.set(key(item), [...(grouped.get(key(item)) ?? []), item]);
  return [...grouped].sort(([a], [b]) => (a < b ? -1 : 1));
}

function lost(changed: readonly Change[], action: Change["action"], what: string): string[] {
  const affected = changed.filter((change) => change.action === action);
  return groups(affected, ({ cluster }) => cluster ?? "").map(([cluster, items]) => {
    const names = items.map(
      ({ kind, name, reasons }) =>
        `${kind} \`${name}\`` +
        (reasons.length > 0 ? ` (because of \`${reasons.join("`, `")}\`)` : ""),
    );
    const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
    return (
      `${items.length} ${items.length === 1 ? "resource is" : "resources are"} **${what}**` +
      `${cluster === "" ? "" : ` in ${cluster}`}: ${allOf([...names.slice(0, NAMED), ...more])}.`
    );
  });
}

function skippedPhases(shares: readonly Share[], all: readonly number[]): string[] {
  return shares.flatMap(({ service, cluster, version, isCanary, before = 0, after = 0 }) => {
    // A cluster that joins the others, out of quarantine for instance, gets what they have passed.
    const reached = Math.max(
      before,
      ...shares
        .filter((other) => other.service === service && other.version === version)
        .map((other) => other.before ?? 0),
    );
    const skipped = isCanary ? all.filter((phase) => phase > reached && phase < after) : [];
    return skipped.length === 0
      ? []
      : [
          `\`${service}\` ${version} **skips a phase** in ${cluster}: ` +
            `it goes from ${before} % to ${after} %, past ${allOf(skipped.map((phase) => `${phase} %`))}.`,
        ];
  });
}

/** Which clusters have which value: `1 in cluster-a and 2 in cluster-b`. */
function byValue(values: readonly (readonly [cluster: string, value: string])[]): string {
  const clusters = new Map<string, string[]>();
  for (const [cluster, value] of [...values].sort(([a], [b]) => (a < b ? -1 : 1))) {
    clusters.set(value, [...(clusters.get(value) ?? []), cluster]);
  }
  return allOf([...clusters].map(([value, names]) => `${value} in ${allOf(names)}`));
}

function areDifferent(values: readonly (readonly [cluster: string, value: string])[]): boolean {
  return new Set(values.map(([, value]) => value)).size > 1;
}

function quarantined(shares: readonly Share[], quarantine: readonly string[]): string[] {
  return quarantine
    .filter((name) => shares.some(({ cluster, isCanary }) => isCanary && cluster === name))
    .map(
      (name) =>
        `${name} is in **quarantine**: by weight its clients get no canary. The canary's pods there still answer clients of other clusters.`,
    );
}

function unlike(shares: readonly Share[]): string[] {
  return groups(shares, ({ service }) => service).flatMap(([service, all]) => {
    const splits = groups(
      all.filter(({ after }) => after !== undefined),
      ({ cluster }) => cluster,
    ).map(
      ([cluster, versions]) =>
        [
          cluster,
          versions
            .map(({ version, role, after = 0 }) =>
              role === "follower" ? version : `${version} ${after} %`,
            )
            .join(" / "),
        ] as const,
    );
    const what = all.some(({ role }) => role === "follower") ? "versions" : "shares";
    return areDifferent(splits)
      ? [`\`${service}\` has **different ${what}**: ${byValue(splits)}.`]
      : [];
  });
}

/** What is left in each cluster after the update, of resources that the preview shows. */
function remaining(
  { steps }: Digest,
  wanted: RegExp,
): readonly { readonly cluster: string; readonly state: State }[] {
  return steps.flatMap(({ urn, provider, newState }) => {
    const cluster = clusterOf({ urn, provider });
    return newState && cluster !== undefined && wanted.test(parseUrn(urn).type)
      ? [{ cluster, state: newState }]
      : [];
  });
}

function istioVersions(digest: Digest): string[] {
  const versions = new Map<string, Set<string>>();
  for (const { cluster, state } of remaining(digest, /^kubernetes:helm\.sh\/v3:Release$/)) {
    const { chart, version } = state.inputs;
    // A chart from a folder has its version in the name of its file.
    const [, name, fileVersion] = /([a-z]+)(?:-(\d[^/]*)\.tgz)?$/.exec(String(chart)) ?? [];
    const found = typeof version === "string" ? version : fileVersion;
    if (ISTIO_CHARTS.includes(name ?? "") && found !== undefined) {
      versions.set(cluster, (versions.get(cluster) ?? new Set()).add(found));
    }
  }
  for (const [cluster, about] of Object.entries(record(stackOutputs(digest)["clusters"]))) {
    const version = record(about)["istioVersion"];
    if (!versions.has(cluster) && typeof version === "string") {
      versions.set(cluster, new Set([version]));
    }
  }
  if (new Set([...versions.values()].flatMap((set) => [...set])).size < 2) return [];
  const texts = [...versions].map(([cluster, set]) => [cluster, allOf([...set].sort())] as const);
  return [`Istio has **different versions**: ${byValue(texts)}.`];
}

/** One version of a service must be the same program everywhere. */
function images(digest: Digest): string[] {
  const found = remaining(digest, /^kubernetes:apps\/.*:Deployment$/).flatMap(
    ({ cluster, state }) => {
      const name = objectName(state.inputs);
      const pod = record(record(record(state.inputs["spec"])["template"])["spec"]);
      const used = list(pod["containers"]).map((container) => record(container)["image"]);
      return name === undefined ? [] : [{ name, cluster, images: used.map(String).join(", ") }];
    },
  );
  return groups(found, ({ name }) => name).flatMap(([name, all]) => {
    const values = all.map(({ cluster, images: used }) => [cluster, `\`${used}\``] as const);
    return areDifferent(values)
      ? [`Deployment \`${name}\` runs **different images**: ${byValue(values)}.`]
      : [];
  });
}

function expiring(
  outputs: Readonly<Record<string, unknown>>,
  changed: readonly Change[],
  now: Date,
): string[] {
  const renewed = changed.filter(({ kind }) => kind === "Certificate").map(({ name }) => name);
  const limit = now.getTime() + EXPIRY_DAYS * 24 * 3600 * 1000;
  const ends = (expires: unknown) =>
    typeof expires === "string" && Date.parse(expires) < limit ? expires.slice(0, 10) : undefined;
  const root = ends(outputs["rootCaExpires"]);
  const intermediates = Object.entries(record(outputs["clusters"])).flatMap(([cluster, about]) => {
    const end = ends(record(about)["caExpires"]);
    return end === undefined || renewed.includes(`certificates-${cluster}`)
      ? []
      : [
          `The certificate authority of ${cluster} **expires on ${end}**: ` +
            "change certificates.rotation, or provide a new certificate.",
        ];
  });
  return [
    ...(root === undefined ? [] : [`The root certificate of the mesh **expires on ${root}**.`]),
    ...intermediates,
  ];
}
