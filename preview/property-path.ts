/** The keys and indices of a property path of Pulumi's: `spec.http[0]["a.b"]` has four. */
export function parsePath(path: string): readonly (string | number)[] {
  const parts = path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g);
  return [...parts].map(([, quoted, index, key]) => {
    if (quoted !== undefined) return quoted.replace(/\\(.)/g, "$1");
    return index === undefined ? (key ?? "") : Number(index);
  });
}

/** What is at the path, or undefined. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === "object" && at !== null && Object.hasOwn(at, key)
        ? Reflect.get(at, key)
        : undefined,
    value,
  );
}
