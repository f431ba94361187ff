import type * as z from "zod";

/** What a key's value is once defaults, optionality and preprocessing are taken off. */
type Bare = Exclude<
  z.core.$ZodTypes,
  z.core.$ZodOptional | z.core.$ZodDefault | z.core.$ZodPrefault | z.core.$ZodPipe
>;

/** A schema and all it wraps, outermost first; the last one says what the value is. */
export function layers(type: z.core.$ZodType): readonly [...z.core.$ZodTypes[], Bare] {
  const schema = type as z.core.$ZodTypes;
  const { def } = schema._zod;
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
      return [schema, ...layers(def.innerType)];
    case "pipe":
      // z.preprocess: what comes out of it has the type that is wanted.
      return [schema, ...layers(def.out)];
    default:
      return [schema as Bare];
  }
}

/** The schema of a value without what wraps it. */
export function bare(type: z.core.$ZodType): Bare {
  return layers(type).at(-1) as Bare;
}

/** The keys that may stand at a place in a value, as far as they are fixed. */
export function keysAt(type: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const { def } = bare(type)._zod;
  const [part, ...rest] = path;
  switch (def.type) {
    case "object": {
      if (part === undefined) {
        return Object.keys(def.shape);
      }
      const inner = def.shape[String(part)];
      return inner === undefined ? [] : keysAt(inner, rest);
    }
    case "array":
      return part === undefined ? [] : keysAt(def.element, rest);
    case "record":
      return part === undefined ? [] : keysAt(def.valueType, rest);
    default:
      return [];
  }
}
