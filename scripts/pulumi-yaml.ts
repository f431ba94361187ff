import { dump } from "js-yaml";
import { configKeys, defaultText, flatten, type ConfigKey } from "./config-keys.ts";
import { schema } from "../stacks/schema.ts";

/** Where the generated part of Pulumi.yaml begins; it goes to the end of the file. */
const START = "# Every key of a stack's configuration";

const HEADING = `${START}, generated from stacks/schema.ts by \`npm run generate\`. Pulumi
# knows no optional keys: a default of "" or {} means "left out". The program checks the values and
# reports everything that is wrong in one error. With constraints, effects and examples: docs/configuration.md.
`;

/** Longest line of a description, without its indentation. */
const WIDTH = 94;

function wrap(text: string, indent: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(`${indent}${word}`);
    } else {
      lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    }
  }
  return lines.join("\n");
}

/** A key as one entry of its top-level key's description. */
function entry(key: ConfigKey, top: string): string {
  const place = key.path.slice(top.length).replace(/^(\[\])?\./, "");
  const value = defaultText(key, (text) => text);
  const state = key.required ? value : `default: ${value}`;
  return wrap(`- ${place} (${key.type}; ${state}): ${key.meta.description}`, "  ");
}

function declaration(key: ConfigKey) {
  const { fallback } = key.meta;
  const description = [
    wrap(`${key.meta.description}${fallback === undefined ? "" : ` Default: ${fallback}.`}`, ""),
    ...key.children.flatMap(flatten).map((below) => entry(below, key.path)),
  ].join("\n");
  return { ...engineType(key), ...(!key.required && { default: engineDefault(key) }), description };
}

function engineType({ path, type }: ConfigKey) {
  const known: Readonly<Record<string, object>> = {
    text: { type: "string" },
    "whole number": { type: "integer" },
    "true or false": { type: "boolean" },
    map: { type: "object" },
    "map of maps": { type: "object" },
    "map of text": { type: "object" },
    // The engine knows no list of both, and checks no key without a type.
    "list of maps or text": {},
    "list of maps": { type: "array", items: { type: "object" } },
    "list of text": { type: "array", items: { type: "string" } },
    "list of whole numbers": { type: "array", items: { type: "integer" } },
  };
  const found = known[type];
  if (!found) {
    throw new Error(`${path}: Pulumi's engine has no type for "${type}"`);
  }
  return found;
}

/** What the engine puts in where the key is left out; the program takes the empty ones for nothing. */
function engineDefault({ type, default: value }: ConfigKey): unknown {
  if (value !== undefined) {
    return value;
  }
  if (type === "map") {
    return {};
  }
  return type.startsWith("list") ? [] : "";
}

/**
 * Pulumi.yaml with its section `config` regenerated.
 *
 * @param current the file as it is; all before the section is kept
 */
export function pulumiYaml(current: string): string {
  const start = current.indexOf(START);
  if (start < 0) {
    throw new Error(
      `Pulumi.yaml has no line that begins with "${START}"; put it before its config`,
    );
  }
  const config = Object.fromEntries(configKeys(schema).map((key) => [key.path, declaration(key)]));
  return `${current.slice(0, start)}${HEADING}${dump({ config }, { lineWidth: -1, noRefs: true })}`;
}
