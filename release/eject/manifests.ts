import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { dump } from "js-yaml";
import { unmarked, type LiveObject } from "../../fleet/unmark.ts";
import { serviceKey } from "../../lib/names.ts";
import type { StateObject } from "./state.ts";

/** An object that is handed back, as its API server has it. */
export interface LiveStateObject extends StateObject {
  readonly live: LiveObject;
}

/** The order in which they can be applied: what rules name comes before them. */
const ORDER = [
  "Namespace",
  "ServiceAccount",
  "ConfigMap",
  "Service",
  "Deployment",
  "ServiceEntry",
  "DestinationRule",
];

/** How annotations begin that controllers write. */
const WRITTEN = "deployment.kubernetes.io/";

/** An object as its owner would write it: without what the API server and this program have added. */
function manifestOf({ live }: LiveStateObject): Readonly<Record<string, unknown>> {
  const { apiVersion, kind, metadata = {}, ...others } = live;
  const more = Object.fromEntries(Object.entries(others).filter(([name]) => name !== "status"));
  const labels = unmarked(metadata.labels);
  const annotations = Object.fromEntries(
    Object.entries(unmarked(metadata.annotations)).filter(([name]) => !name.startsWith(WRITTEN)),
  );
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    ...more,
  };
}

/** Where the manifests of a service are, or of a namespace. */
function fileOf({ cluster, service, name }: StateObject): string {
  const of = service ? `${service.namespace}.${service.service}` : `namespace-${name}`;
  return path.join(cluster, `${of}.yaml`);
}

/** Files are for version control: what is secret stays in the cluster. */
function isSecret({ kind }: StateObject): boolean {
  return kind === "Secret";
}

/** The owners' files, by their paths. */
function manifestFiles(objects: readonly LiveStateObject[]): ReadonlyMap<string, string> {
  const rank = ({ kind }: StateObject) =>
    ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length;
  return new Map(
    [...Map.groupBy(objects, fileOf)].map(([file, own]) => {
      const [{ service, cluster, name } = { service: undefined, cluster: "", name: "" }] = own;
      const of = service ? serviceKey(service) : `namespace ${name}`;
      const secrets = own.filter(isSecret).map((each) => each.name);
      const documents = own
        .filter((each) => !isSecret(each))
        .toSorted((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name))
        .map((each) => dump(manifestOf(each), { lineWidth: -1, noRefs: true, skipInvalid: true }));
      return [
        file,
        [
          [
            `# What routes ${of} in ${cluster}, as it was handed back.\n`,
            ...secrets.map((each) => `# Secret ${each} stays as it is, and is not written here.\n`),
          ].join(""),
          ...documents,
        ].join("---\n"),
      ];
    }),
  );
}

/** Writes them below a folder; the folder's other files stay. */
export async function writeManifests(
  folder: string,
  objects: readonly LiveStateObject[],
): Promise<readonly string[]> {
  const files = [...manifestFiles(objects)].map(
    ([file, text]) => [path.join(folder, file), text] as const,
  );
  for (const [file, text] of files) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return files.map(([file]) => file);
}
