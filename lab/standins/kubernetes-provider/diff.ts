import { isFields, reveal, textAt, type Fields, type Value } from "./values.ts";

type ChangeKind = "ADD" | "DELETE" | "UPDATE";
/** What differs, by property path such as `spec.http[0].route[1].weight`. */
export type Changes = ReadonlyMap<string, ChangeKind>;

/** The path of a child in the engine's notation. */
function childPath(parent: string, key: string | number): string {
  if (typeof key === "number") return `${parent}[${key}]`;
  if (!/^[A-Za-z_][\w-]*$/.test(key)) return `${parent}["${key.replaceAll('"', '\\"')}"]`;
  return parent ? `${parent}.${key}` : key;
}

/** Compares old and new inputs, field by field and item by item. Secrets are compared by what they hold. */
export function changesBetween(before: Fields, after: Fields): Changes {
  const changes = new Map<string, ChangeKind>();
  compare(before, after, "", changes);
  return changes;
}

function compare(
  beforeValue: Value | undefined,
  afterValue: Value | undefined,
  path: string,
  changes: Map<string, ChangeKind>,
): void {
  const before = reveal(beforeValue);
  const after = reveal(afterValue);
  if (before === undefined || after === undefined) {
    if (before !== after) changes.set(path, before === undefined ? "ADD" : "DELETE");
  } else if (isFields(before) && isFields(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(before[key], after[key], childPath(path, key), changes);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      compare(before[index], after[index], childPath(path, index), changes);
    }
  } else if (before !== after) {
    changes.set(path, "UPDATE");
  }
}

/** Whether a path is the other one, or lies below it. */
function isWithin(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[`);
}

/** Leaves out what a resource's `ignoreChanges` names: a path, or a path above it. */
export function withoutIgnored(changes: Changes, ignored: readonly string[]): Changes {
  return new Map([...changes].filter(([path]) => !ignored.some((above) => isWithin(path, above))));
}

/** Fields whose change replaces an object of any kind. */
const IMMUTABLE = ["kind", "metadata.name", "metadata.namespace"];
/** The same by kind, as diff.go of the official provider lists them for the kinds here; others are refused by the API server. */
const IMMUTABLE_BY_KIND: Record<string, readonly string[]> = {
  ClusterRoleBinding: ["roleRef"],
  DaemonSet: ["spec.selector"],
  Deployment: ["spec.selector"],
  Job: ["spec.completions", "spec.parallelism", "spec.selector", "spec.template"],
  PersistentVolumeClaim: [
    "spec.accessModes",
    "spec.selector",
    "spec.storageClassName",
    "spec.volumeName",
  ],
  RoleBinding: ["roleRef"],
  Service: ["spec.clusterIP"],
  StatefulSet: [
    "spec.selector",
    "spec.serviceName",
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.volumeClaimTemplates",
  ],
  StorageClass: ["parameters", "provisioner"],
};

/** The provider's settings that decide whether configuration is replaced or changed in place. */
export interface Mutability {
  readonly configMaps: boolean;
  readonly secrets: boolean;
}

function immutableFieldsOf(object: Fields, mutability: Mutability): readonly string[] {
  const kind = textAt(object, "kind") ?? "";
  const immutable = reveal(object["immutable"]) === true;
  if (kind === "Secret") {
    return mutability.secrets && !immutable ? ["type"] : ["type", "data", "stringData"];
  }
  if (kind === "ConfigMap") {
    return mutability.configMaps && !immutable ? [] : ["data", "binaryData"];
  }
  return IMMUTABLE_BY_KIND[kind] ?? [];
}

/**
 * The changed paths that make a replacement necessary.
 *
 * @param object as it is to be: one that says `immutable` is replaced whatever the provider's settings
 */
export function replacedBy(changes: Changes, object: Fields, mutability: Mutability): string[] {
  const fields = [...IMMUTABLE, ...immutableFieldsOf(object, mutability)];
  return [...changes.keys()].filter((path) => fields.some((field) => isWithin(path, field)));
}

/** Whether the old object stands in the new one's place, so that it must be deleted first. */
export function samePlace(before: Fields, after: Fields): boolean {
  return ["name", "namespace"].every(
    (key) => textAt(before, "metadata", key) === textAt(after, "metadata", key),
  );
}
