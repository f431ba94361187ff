import * as kubernetes from "@kubernetes/client-node";
import * as z from "zod";
import { nearest } from "../../lib/nearest.ts";
import { isFields, KEYED_LISTS } from "../../lib/pod-template.ts";

/** One field of a type of Kubernetes' API, as its client describes it. */
interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

/** Something that a template must not say, where in it. */
interface Flaw {
  readonly path: readonly PropertyKey[];
  readonly rule: string;
  readonly fix: string;
}

const ROOT = "V1PodTemplateSpec";
const LIST = /^Array<(.*)>$/;
const MAP = /^\{ \[key: string\]: (.*); \}$/;

/** The fields of a type; undefined of one that is no map of fields. */
function attributesOf(type: string): readonly Attribute[] | undefined {
  const found: unknown = Reflect.get(kubernetes, type);
  return typeof found === "function" && "getAttributeTypeMap" in found
    ? (found as { getAttributeTypeMap(): readonly Attribute[] }).getAttributeTypeMap()
    : undefined;
}

/** A type's name as Kubernetes' documentation has it. */
function plainName(type: string): string {
  return type.replace(/^(CoreV1|V1)/, "");
}

/** A value as its type wants it, as far as it can be told what is meant; what else is wrong goes to `flaws`. */
function read(value: unknown, type: string, path: readonly PropertyKey[], flaws: Flaw[]): unknown {
  const refuse = (rule: string, fix: string) => {
    flaws.push({ path, rule, fix });
    return value;
  };
  const [, element] = LIST.exec(type) ?? [];
  if (element !== undefined) {
    return Array.isArray(value)
      ? readList(value, element, path, flaws)
      : refuse("must be a list", "Write each element after a hyphen.");
  }
  const [, entry] = MAP.exec(type) ?? [];
  const attributes = attributesOf(type);
  if (entry !== undefined || attributes) {
    if (!isFields(value)) return refuse("must be a map of keys", "Write its fields below it.");
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => {
        const field = attributes
          ? attributes.find(({ baseName }) => baseName === name)
          : { type: entry ?? "any" };
        const place = [...path, name];
        if (field) return [name, inner === null ? null : read(inner, field.type, place, flaws)];
        const near = nearest(name, attributes?.map(({ baseName }) => baseName) ?? []);
        flaws.push({
          path: place,
          rule: `is not a field of Kubernetes' ${plainName(type)}`,
          fix: near === undefined ? "Check its spelling, or remove it." : `Did you mean ${near}?`,
        });
        return [name, inner];
      }),
    );
  }
  return readSingle(value, type, refuse);
}

function readList(
  list: readonly unknown[],
  type: string,
  path: readonly PropertyKey[],
  flaws: Flaw[],
): readonly unknown[] {
  const key = KEYED_LISTS[String(path.at(-1))];
  const keys = list.map((each) =>
    key !== undefined && isFields(each) ? (each[key] ?? undefined) : undefined,
  );
  return list.map((element, i) => {
    const place = [...path, i];
    if (element === null) {
      flaws.push({
        path: place,
        rule: "must not be null, which removes fields only",
        fix: "Remove it; to leave out the whole list, set the list to null.",
      });
      return element;
    }
    if (key !== undefined && isFields(element)) {
      // Ports are the one such list in which the name may be left out.
      if (keys[i] === undefined && path.at(-1) !== "ports") {
        flaws.push({
          path: [...place, key],
          rule: "must be given",
          fix: `Write the ${key} by which it is merged with what the program makes.`,
        });
      }
      const first = keys.indexOf(keys[i]);
      if (keys[i] !== undefined && first < i) {
        flaws.push({
          path: [...place, key],
          rule: `must be there once in its list, and is in element ${first} too`,
          fix: "Write both as one, or give one another name.",
        });
      }
    }
    return read(element, type, place, flaws);
  });
}

function readSingle(
  value: unknown,
  type: string,
  refuse: (rule: string, fix: string) => unknown,
): unknown {
  switch (type) {
    case "any":
      return value;
    case "boolean":
      return typeof value === "boolean"
        ? value
        : refuse("must be true or false", "Write true or false, without quotes.");
    case "number":
      return Number.isInteger(value)
        ? value
        : refuse("must be a whole number", "Write it without quotes and without a unit.");
    case "IntOrString":
      if (typeof value === "string" && /^\d+$/.test(value)) return Number(value);
      return typeof value === "string" || Number.isInteger(value)
        ? value
        : refuse("must be a whole number or a name", "For example: 8080, or http.");
    default:
      // Text that YAML and `pulumi config set --path` take for a number or a boolean.
      if (typeof value === "number" || typeof value === "boolean") return String(value);
      return typeof value === "string" ? value : refuse("must be text", "Put the value in quotes.");
  }
}

/** A PodTemplateSpec of Kubernetes' API, in which a field may be null, to leave out what the program sets. */
export const template = z.preprocess(
  (value, context) => {
    if (!isFields(value)) return value;
    const flaws: Flaw[] = [];
    const found = read(value, ROOT, [], flaws);
    for (const { path, rule, fix } of flaws) {
      context.addIssue({ code: "custom", path: [...path], message: rule, params: { fix } });
    }
    return found;
  },
  z.record(z.string(), z.unknown()),
);
