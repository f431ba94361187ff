import type * as z from "zod";
import { anchor } from "../lib/anchor.ts";
import { oneOf } from "../lib/enumerate.ts";
import type { Problem } from "../lib/problems.ts";
import { headingOf, mayBeSecret, metaOf, schemaAt } from "./schema/structure.ts";
import { schema, type ConfigKey } from "./schema.ts";
import { unknownInner } from "./unknown-keys.ts";

function pathOf(key: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}.${String(part)}`),
    key,
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === "object" && at !== null ? Reflect.get(at, part) : undefined),
    value,
  );
}

/**
 * The problems that one issue of zod's stands for.
 *
 * @param key top-level key in whose value it is
 * @param raw that value, as it was written
 */
export function problemsOf(key: ConfigKey, raw: unknown, issue: z.core.$ZodIssue): Problem[] {
  const path = pathOf(key, issue.path);
  const found = valueAt(raw, issue.path);
  const value = mayBeSecret(schema[key], issue.path) ? undefined : found;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((name) => unknownInner(key, issue.path, path, name));
    case "invalid_key":
      return issue.issues.flatMap((inner) =>
        problemsOf(key, undefined, { ...inner, path: issue.path }),
      );
    case "invalid_type":
      return [
        found === undefined
          ? { path, rule: "must be given", fix: `Write ${words(issue.expected)}.` }
          : {
              path,
              value,
              rule: `must be ${article(issue.expected)}`,
              fix: rightType(issue.expected, key, issue.path),
            },
      ];
    case "custom": {
      const fix: unknown = issue.params?.["fix"];
      return [
        {
          path,
          value,
          rule: issue.message,
          fix: typeof fix === "string" ? fix : `See ${described(key, issue.path)}.`,
        },
      ];
    }
    case "invalid_value": {
      const fix = `Write ${oneOf(issue.values.map(String))}.`;
      return [
        found === undefined
          ? { path, rule: "must be given", fix }
          : { path, value, rule: issue.message, fix },
      ];
    }
    default:
      return [
        {
          path,
          value,
          rule: `is invalid: ${issue.message}`,
          fix: `See ${described(key, issue.path)}.`,
        },
      ];
  }
}

/** Characters that an example may have in a message. */
const MAX_EXAMPLE = 60;

/** What to write instead of a value of another type, with an example where the key has a short one. */
function rightType(type: string, key: ConfigKey, path: readonly PropertyKey[]): string {
  if (type === "string") return "Put the value in quotes.";
  if (type === "boolean") return "Write true or false.";
  const found = schemaAt(schema[key], path);
  const [example] = (found && metaOf(found).examples) ?? [];
  const shown = example === undefined ? "" : JSON.stringify(example);
  const such = shown === "" || shown.length > MAX_EXAMPLE ? "" : `, such as ${shown}`;
  return `Write ${article(type)}${such}; see ${described(key, path)}.`;
}

/** Where the documentation describes what is at a place in a key's value. */
function described(key: ConfigKey, path: readonly PropertyKey[]): string {
  return `docs/configuration.md#${anchor(headingOf(key, schema[key], path))}`;
}

/** What to write where nothing is. */
function words(type: string): string {
  return type === "boolean" ? "true or false" : article(type);
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
    string: "text",
    array: "a list",
    object: "a map of keys",
    record: "a map of keys",
    int: "a whole number",
  };
  return words[type] ?? `a ${type}`;
}
