/** Names and shapes of Kubernetes objects, as inputs, as the server has them, and as kept in the state. */
import { createHash } from "node:crypto";
import {
  fieldsAt,
  isFields,
  mapFields,
  omit,
  secret,
  textAt,
  UNKNOWN,
  withSecretsOf,
  type Fields,
  type Value,
} from "./values.ts";

/** What identifies a resource to the engine: `urn:pulumi:stack::project::parent$type::name`. */
export interface Urn {
  readonly text: string;
  /** For instance `kubernetes:apps/v1:Deployment`. */
  readonly type: string;
  readonly name: string;
}

export function parseUrn(text: string): Urn {
  const [, , types, ...name] = text.split("::");
  return { text, type: types?.split("$").at(-1) ?? "", name: name.join("::") };
}

export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The kind of object that a Pulumi type stands for; `core/v1` is the API version `v1`. */
export function kindOf(type: string): Kind {
  const [, apiVersion = "", kind = ""] = type.split(":");
  return { apiVersion: apiVersion.replace(/^core\//, ""), kind };
}

/** A reference to one object; the namespace is empty for kinds that have none. */
export interface ObjectReference extends Kind {
  readonly namespace: string;
  readonly name: string;
}

export function referenceTo(object: Fields): ObjectReference {
  return {
    apiVersion: textAt(object, "apiVersion") ?? "",
    kind: textAt(object, "kind") ?? "",
    namespace: textAt(object, "metadata", "namespace") ?? "",
    name: textAt(object, "metadata", "name") ?? "",
  };
}

/** The resource's id: `namespace/name`, or the name alone. */
export function idOf({ namespace, name }: { namespace: string; name: string }): string {
  return namespace ? `${namespace}/${name}` : name;
}

export function parseId(id: string): { namespace: string; name: string } {
  const slash = id.indexOf("/");
  return { namespace: id.slice(0, Math.max(slash, 0)), name: id.slice(slash + 1) };
}

export function annotation(object: Fields, name: string): string | undefined {
  return textAt(object, "metadata", "annotations", name);
}

/**
 * The field manager of a resource. It follows from the URN, so that an object whose creation was
 * interrupted before the state was written is recognised as this resource's own.
 */
export function fieldManagerOf(urn: Urn): string {
  return `pulumi-kubernetes-${createHash("sha256").update(urn.text).digest("hex").slice(0, 8)}`;
}

function renameKeys(value: Value, rename: (key: string) => string): Value {
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, rename));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      rename(key),
      item === undefined ? undefined : renameKeys(item, rename),
    ]),
  );
}

/** Keys the SDK's types cannot spell: it writes `x_kubernetes_validations` for `x-kubernetes-validations`. */
export function toServerKeys(object: Fields): Fields {
  return renameKeys(object, (key) =>
    key.startsWith("x_kubernetes_") ? key.replaceAll("_", "-") : key,
  ) as Fields;
}

export function toSdkKeys(object: Fields): Fields {
  return renameKeys(object, (key) =>
    key.startsWith("x-kubernetes-") ? key.replaceAll("-", "_") : key,
  ) as Fields;
}

/** Fields of `metadata` that the server sets. */
const SERVER_METADATA = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "selfLink",
  "uid",
];

/** The object as a user would have written it: without status and what the server sets in `metadata`. */
export function withoutServerFields(object: Fields): Fields {
  const metadata = omit(fieldsAt(object, "metadata"), ...SERVER_METADATA);
  return { ...omit(object, "status"), metadata };
}

/** Marks what is secret: whatever was secret in the inputs, and the data of a Secret always. */
export function withSecrets(object: Fields, inputs: Fields): Fields {
  const marked = withSecretsOf(object, inputs);
  if (textAt(marked, "kind") !== "Secret" || textAt(marked, "apiVersion") !== "v1") return marked;
  for (const key of ["data", "stringData"]) {
    const data = marked[key];
    if (data !== undefined && data !== UNKNOWN) marked[key] = secret(data);
  }
  // kubectl keeps a copy of the whole object here.
  const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
  const annotations = fieldsAt(marked, "metadata", "annotations");
  if (annotations[lastApplied] === undefined) return marked;
  const hidden = mapFields(annotations, (value, key) =>
    key === lastApplied ? secret(value) : value,
  );
  return { ...marked, metadata: { ...fieldsAt(marked, "metadata"), annotations: hidden } };
}

/** A resource's outputs, in the form in which the official provider keeps them in the state. */
export function stateOf(live: Fields, inputs: Fields, fieldManager: string): Fields {
  const object = withSecrets(toSdkKeys(live), inputs);
  return {
    ...object,
    metadata: omit(fieldsAt(object, "metadata"), "managedFields"),
    __inputs: inputs,
    __initialApiVersion: textAt(live, "apiVersion"),
    __fieldManager: fieldManager,
  };
}

/** Outputs in a preview of a creation: what only the real creation decides is unknown. */
export function previewOfCreation(object: Fields, inputs: Fields): Fields {
  const metadata = { ...fieldsAt(object, "metadata") };
  for (const key of ["creationTimestamp", "generation", "resourceVersion", "uid"]) {
    metadata[key] = UNKNOWN;
  }
  const preview: Fields = { ...object, metadata, status: UNKNOWN };
  if (textAt(object, "kind") === "Service") preview["spec"] = previewOfServiceSpec(object, inputs);
  if (textAt(object, "type") === "kubernetes.io/service-account-token") preview["data"] = UNKNOWN;
  return preview;
}

/** A dry run allocates addresses and ports that the real creation will not get. */
function previewOfServiceSpec(object: Fields, inputs: Fields): Fields {
  const given = fieldsAt(inputs, "spec");
  return mapFields(fieldsAt(object, "spec"), (value, key) => {
    if (key === "ports") return given["ports"] ?? value;
    const allocated = ["clusterIP", "clusterIPs", "healthCheckNodePort"].includes(key);
    return allocated && given[key] === undefined ? UNKNOWN : value;
  });
}
