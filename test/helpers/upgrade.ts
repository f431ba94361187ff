import * as z from "zod";
import type { Fields } from "../../lab/standins/kubernetes-provider/values.ts";
import {
  changesBetween,
  replacedBy,
  withoutIgnored,
} from "../../lab/standins/kubernetes-provider/diff.ts";
import {
  comparable,
  placeOf,
  typeOf,
  type Placeholders,
  type RecordedResource,
  type RecordedStack,
} from "../../scripts/recorded-stack.ts";
import { urnOf, type AliasSpec, type Registered } from "./mocks.ts";

/** What an update does to one resource, or to the stack's outputs, as a preview shows it. */
export interface Change {
  readonly kind: "deleted" | "replaced" | "created" | "updated";
  /** The URN without stack and project; `outputs` for those of the stack. */
  readonly resource: string;
  /** What differs, such as `spec.replicas`. @default [] for a resource that is created or deleted */
  readonly paths: readonly string[];
}

/** What a change of a provider's settings may lead to another cluster by. */
const WAYS_TO_A_CLUSTER = ["cluster", "context", "kubeconfig"];

/** The paths for which the Kubernetes provider, or the engine, replaces a resource. */
function replacing(changes: ReadonlyMap<string, "ADD" | "DELETE" | "UPDATE">, type: string) {
  const paths = [...changes.keys()];
  if (type === "kubernetes:helm.sh/v3:Release") {
    return paths.filter((path) => ["name", "namespace"].includes(path));
  }
  if (type === "pulumi:providers:kubernetes") {
    return paths.filter((path) => WAYS_TO_A_CLUSTER.includes(path));
  }
  if (!type.startsWith("kubernetes:")) return [];
  const kind = type.split(":").at(-1) ?? "";
  // The program's providers change both in place (stacks/cluster-provider.ts).
  return replacedBy(changes, { kind }, { configMaps: true, secrets: true });
}

/** What registered resources were called before, by the engine's rules for aliases. */
class Predecessors {
  readonly #recorded: ReadonlySet<string>;
  /** By URN, for resources that have another one in the recording. */
  readonly #found = new Map<string, string>();

  constructor(recorded: ReadonlySet<string>) {
    this.#recorded = recorded;
  }

  /** The place in the recording. Parents come before their children. @default it has none */
  of({ urn, type, name, parentUrn, aliases }: Registered): string | undefined {
    const own = aliases.map((alias) => aliasUrn(alias, { type, name, parentUrn }));
    const parentBefore = this.#found.get(parentUrn);
    const inherited =
      parentBefore === undefined
        ? []
        : [urn, ...own].map((each) => inheritedUrn(each, parentUrn, parentBefore));
    const before = [urn, ...own, ...inherited].find((each) => this.#recorded.has(placeOf(each)));
    if (before !== undefined && before !== urn) this.#found.set(urn, before);
    return before && placeOf(before);
  }

  /** Where a parent was in the recording. */
  placeOf(urn: string): string {
    return placeOf(this.#found.get(urn) ?? urn);
  }
}

function aliasUrn(
  alias: AliasSpec,
  { type, name, parentUrn }: Pick<Registered, "type" | "name" | "parentUrn">,
): string {
  if (alias.urn !== "") return alias.urn;
  return urnOf(alias.parentUrn ?? parentUrn, alias.type || type, alias.name || name);
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** A child whose name begins with its parent's is renamed with it. */
function inheritedUrn(urn: string, parentUrn: string, parentBefore: string): string {
  const [name, parentName] = [nameOf(urn), nameOf(parentUrn)];
  return urnOf(
    parentBefore,
    typeOf(placeOf(urn)),
    name.startsWith(parentName) ? nameOf(parentBefore) + name.slice(parentName.length) : name,
  );
}

function inputsOf({ type, inputs, version }: Registered, placeholders: Placeholders) {
  return comparable(
    type.startsWith("pulumi:providers:") ? { ...inputs, version } : inputs,
    placeholders,
    type,
  ) as Fields;
}

function changeOf(
  before: RecordedResource,
  after: Registered,
  parent: string,
  placeholders: Placeholders,
): Change[] {
  const resource = before.urn;
  const changes = withoutIgnored(
    changesBetween(before.inputs as Fields, inputsOf(after, placeholders)),
    after.ignoreChanges,
  );
  const replaces = [
    ...replacing(changes, after.type),
    ...(before.provider === after.provider ? [] : ["provider"]),
  ];
  if (replaces.length > 0) return [{ kind: "replaced", resource, paths: replaces }];
  const paths = [...changes.keys(), ...(before.parent === parent ? [] : ["parent"])];
  return paths.length > 0 ? [{ kind: "updated", resource, paths: paths.sort() }] : [];
}

/** What the program was seen to do. */
export interface Run {
  readonly resources: readonly Registered[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What an update of the recorded stack to the program would do. */
export function changesOf(
  recorded: RecordedStack,
  run: Run,
  placeholders: Placeholders = {},
): readonly Change[] {
  const before = new Map(recorded.resources.map((resource) => [resource.urn, resource]));
  const predecessors = new Predecessors(new Set(before.keys()));
  const seen = new Set<string>();
  const changes = run.resources.flatMap((after): Change[] => {
    if (placeOf(after.urn) === "") return [];
    const place = predecessors.of(after);
    const resource = place === undefined ? undefined : before.get(place);
    if (!resource) return [{ kind: "created", resource: placeOf(after.urn), paths: [] }];
    seen.add(resource.urn);
    return changeOf(resource, after, predecessors.placeOf(after.parentUrn), placeholders);
  });
  const outputs = changesBetween(
    recorded.outputs as Fields,
    comparable(run.outputs, placeholders) as Fields,
  );
  return [
    ...[...before.keys()]
      .filter((urn) => !seen.has(urn))
      .map((resource): Change => ({ kind: "deleted", resource, paths: [] })),
    ...changes,
    ...(outputs.size > 0
      ? [{ kind: "updated" as const, resource: "outputs", paths: [...outputs.keys()].sort() }]
      : []),
  ];
}

/** Changes that an update makes on purpose, as they are written down beside a recording. */
export const listedChanges = z.array(
  z.strictObject({
    /** Words of the entry in CHANGELOG.md that tells users. */
    changelog: z.string().min(1),
    /** By resource: that it is created, or the paths that differ. */
    resources: z.record(z.string(), z.union([z.literal("created"), z.array(z.string()).min(1)])),
  }),
);
export type ListedChanges = z.infer<typeof listedChanges>;

/** What users read about updates from a release: all entries since then under "On an existing stack". */
function changelogSince(changelog: string, release: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const own = sections.findIndex((section) => /^\[?([\w.-]+)/.exec(section)?.[1] === release);
  return sections
    .slice(0, own === -1 ? undefined : own)
    .flatMap((section) => section.split(/^### /m))
    .filter((part) => part.startsWith("On an existing stack"))
    .join("\n");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

/** What is created or updated without being listed, as it would be listed. */
function unlisted(changes: readonly Change[], listed: ListedChanges): Change[] {
  return changes.flatMap((change): Change[] => {
    const entries = listed.flatMap(({ resources }) => resources[change.resource] ?? []);
    if (change.kind === "created") return entries.includes("created") ? [] : [change];
    const paths = change.paths.filter((path) => !entries.includes(path));
    return change.kind === "updated" && paths.length > 0 ? [{ ...change, paths }] : [];
  });
}

/** What is listed, and does not happen. */
function obsolete(changes: readonly Change[], listed: ListedChanges): string[] {
  return listed.flatMap(({ resources }) =>
    Object.entries(resources).flatMap(([resource, what]) => {
      const found = changes.find((change) => change.resource === resource);
      if (what === "created") return found?.kind === "created" ? [] : [`${resource}: created`];
      const gone = what.filter((path) => found?.paths.includes(path) !== true);
      return gone.length > 0 ? [`${resource}: ${gone.join(", ")}`] : [];
    }),
  );
}

function lines(kind: Change["kind"], changes: readonly Change[]): string[] {
  const those = changes.filter((change) => change.kind === kind);
  return those.length === 0
    ? []
    : [
        `  ${kind}:`,
        ...those.map(
          ({ resource, paths }) =>
            `   - ${resource}${paths.length > 0 ? ` (${paths.join(", ")})` : ""}`,
        ),
      ];
}

/**
 * What is wrong with the changes that an update of a recorded stack makes, and what to do about it.
 *
 * @returns "" if users know of all of them from CHANGELOG.md
 */
export function problemsOf(
  { release, stack }: { readonly release: string; readonly stack: string },
  changes: readonly Change[],
  listed: ListedChanges,
  changelog: string,
): string {
  const list = `test/unit/upgrade/stacks/${release}/${stack}/changes.json`;
  const known = oneLine(changelogSince(changelog, release));
  const untold = listed.filter((entry) => !known.includes(oneLine(entry.changelog)));
  const lost = changes.filter(({ kind }) => kind === "deleted" || kind === "replaced");
  const surprising = unlisted(changes, listed);
  const gone = obsolete(changes, listed);
  const shown = [...lost, ...surprising];
  const entry = {
    changelog: "…",
    resources: Object.fromEntries(
      surprising.map(({ kind, resource, paths }) => [resource, kind === "created" ? kind : paths]),
    ),
  };
  const parts = [
    shown.length > 0 && [
      `After an update from ${release}, pulumi preview would show what no user expects:`,
      ...(["deleted", "replaced", "created", "updated"] as const).flatMap((kind) =>
        lines(kind, shown),
      ),
    ],
    lost.length > 0 && [
      "An update must delete and replace nothing, since the objects are in use. If a resource has another name, type or parent now, " +
        "give it the old one back, or the option aliases. If a field cannot be changed in place, give it its old value back.",
    ],
    surprising.length > 0 && [
      "If it is meant that something is created or updated, tell users in CHANGELOG.md, under On an existing stack, and add to " +
        `${list}, with words of that entry as "changelog":`,
      JSON.stringify(entry, null, 2),
    ],
    gone.length > 0 && [
      `These changes are listed in ${list}, but do not happen. Remove them there:`,
      ...gone.map((each) => `   - ${each}`),
    ],
    untold.length > 0 && [
      `${list} names entries that CHANGELOG.md does not have under On an existing stack. Add them, or correct the words:`,
      ...untold.map((each) => `   - ${each.changelog}`),
    ],
  ];
  return parts.flatMap((part) => (part === false ? [] : [part.join("\n")])).join("\n\n");
}
