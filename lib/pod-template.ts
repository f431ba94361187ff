/** What a map of Kubernetes' API has in it; `null` stands for a field that is to be left out. */
export type Fields = Readonly<Record<string, unknown>>;

/** A PodTemplateSpec, or a part of one. */
export interface PodTemplate {
  readonly metadata?: Fields | undefined;
  readonly spec?: Fields | undefined;
}

/** Lists whose elements are known by one of their fields: elements with the same value of it are one. */
export const KEYED_LISTS: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  ports: "name",
  imagePullSecrets: "name",
  volumeMounts: "mountPath",
};

/** Fields of which Kubernetes takes one only: who gives one of them takes the others away. */
const ALTERNATIVES: readonly (readonly string[])[] = [
  ["exec", "grpc", "httpGet", "tcpSocket"],
  ["value", "valueFrom"],
];

/** Whether a value is a map. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value without the fields that are null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  return isFields(value) ? mergedFields({}, value) : value;
}

function mergedLists(
  own: readonly unknown[],
  over: readonly unknown[],
  key: string,
): readonly unknown[] {
  const idOf = (element: unknown) => (isFields(element) ? element[key] : undefined);
  const known = over.filter((each) => idOf(each) !== undefined);
  const matching = (element: unknown) =>
    known.find((each) => idOf(element) !== undefined && idOf(each) === idOf(element));
  return [
    ...own.map((element) => {
      const other = matching(element);
      return isFields(element) && isFields(other) ? mergedFields(element, other) : element;
    }),
    ...over.filter((element) => !own.some((each) => matching(each) === element)).map(withoutNulls),
  ];
}

function mergedFields(own: Fields, over: Fields): Fields {
  const replaced = ALTERNATIVES.filter((names) =>
    names.some((name) => over[name] !== undefined && over[name] !== null),
  ).flat();
  const kept = Object.entries(own).filter(([name]) => name in over || !replaced.includes(name));
  const all = new Map<string, unknown>(kept);
  for (const [name, value] of Object.entries(over)) {
    const before = all.get(name);
    const key = KEYED_LISTS[name];
    if (value === null) all.delete(name);
    else if (isFields(before) && isFields(value)) all.set(name, mergedFields(before, value));
    else if (key !== undefined && Array.isArray(before) && Array.isArray(value)) {
      all.set(name, mergedLists(before, value, key));
    } else if (value !== undefined) all.set(name, withoutNulls(value));
  }
  return Object.fromEntries(all);
}

/**
 * A pod template with another one merged over it. Maps merge; of the lists, those whose elements have a name
 * (KEYED_LISTS) merge by it, and what is new stands after what was there; other lists and single values replace.
 * A field that is `null` in `over` is left out.
 */
export function mergePodTemplate(own: PodTemplate, over: PodTemplate): PodTemplate {
  return mergedFields({ ...own }, { ...over });
}
