import * as z from "zod";
import type { TopKeyMeta } from "./values.ts";

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

/** What a schema and what it wraps say in `.meta()`; what is said further out counts. */
export function metaOf(type: z.core.$ZodType): Partial<TopKeyMeta> & { readonly type?: unknown } {
  return layers(type).reduceRight(
    (inner, layer) => ({ ...inner, ...z.globalRegistry.get(layer) }),
    {},
  );
}

/** The schema of what is at `part` in a value, or undefined if nothing can be there. */
function inner(type: z.core.$ZodType, part: PropertyKey): z.core.$ZodType | undefined {
  const { def } = bare(type)._zod;
  switch (def.type) {
    case "object":
      return def.shape[String(part)];
    case "array":
      return def.element;
    case "record":
      return def.valueType;
    default:
      return undefined;
  }
}

/** The schema of what is at a place in a value, or undefined if nothing can be there. */
export function schemaAt(
  type: z.core.$ZodType,
  path: readonly PropertyKey[],
): z.core.$ZodType | undefined {
  return path.reduce<z.core.$ZodType | undefined>((at, part) => at && inner(at, part), type);
}

/**
 * The heading in docs/configuration.md of the key whose value is at a place, or has the place in it:
 * `services[].stable.image`.
 *
 * @param top name of the top-level key
 */
export function headingOf(
  top: string,
  type: z.core.$ZodType,
  path: readonly PropertyKey[],
): string {
  let [heading, text, at] = [top, top, type];
  for (const part of path) {
    const next = inner(at, part);
    if (next === undefined) break;
    const { sameAs = text, placeholder = "key" } = metaOf(at);
    const kind = bare(at)._zod.def.type;
    const step =
      kind === "array" ? "[]" : `.${kind === "record" ? `<${placeholder}>` : String(part)}`;
    [text, at] = [`${sameAs}${step}`, next];
    // Elements of lists and of maps have no heading of their own.
    if (kind === "object") heading = text;
  }
  return heading;
}

/** The keys that may stand at a place in a value, as far as they are fixed. */
export function keysAt(type: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const place = schemaAt(type, path);
  const { def } = place ? bare(place)._zod : {};
  return def?.type === "object" ? Object.keys(def.shape) : [];
}

/** Whether there may be a secret in a value. */
export function holdsSecret(type: z.core.$ZodType): boolean {
  if (metaOf(type).secret === true) return true;
  const { def } = bare(type)._zod;
  switch (def.type) {
    case "object":
      return Object.values(def.shape).some(holdsSecret);
    case "array":
      return holdsSecret(def.element);
    case "record":
      return holdsSecret(def.valueType);
    default:
      return false;
  }
}

/** Whether what is at a place in a value may be a secret, hold one, or be a part of one. */
export function mayBeSecret(
  type: z.core.$ZodType,
  [part, ...rest]: readonly PropertyKey[],
): boolean {
  if (part === undefined || metaOf(type).secret === true) return holdsSecret(type);
  const next = inner(type, part);
  return next === undefined ? holdsSecret(type) : mayBeSecret(next, rest);
}

/** What is left of a value when all keys are taken out that do not decide the routing. */
type Routed<T> = T extends readonly (infer Element)[]
  ? readonly Routed<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]?: Routed<T[Key]> }
    : T;

/**
 * What of a value decides the routing.
 *
 * @param type its schema, of whose value it may be a part or have more in it
 * @throws Error naming a key that does not say whether it does
 */
export function routed<T>(type: z.core.$ZodType, value: T, path = ""): Routed<T> {
  const { def } = bare(type)._zod;
  if (def.type === "array" && Array.isArray(value)) {
    return value.map((each: unknown) => routed(def.element, each, `${path}[]`)) as Routed<T>;
  }
  if (def.type !== "object" || typeof value !== "object" || value === null) {
    return value as Routed<T>;
  }
  const kept = Object.entries(def.shape).flatMap(([name, of]) => {
    const part: unknown = Reflect.get(value, name);
    const place = path === "" ? name : `${path}.${name}`;
    switch (metaOf(of).routing) {
      case "all":
        return [[name, part] as const];
      case "parts":
        return [[name, routed(of, part, place)] as const];
      case "none":
        return [];
      default:
        throw new Error(
          `${place} does not say whether it decides the routing; give it "routing" in stacks/schema`,
        );
    }
  });
  return Object.fromEntries(kept) as Routed<T>;
}
