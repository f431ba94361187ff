import { dump } from "js-yaml";
import * as z from "zod";
import { bare, layers, metaOf } from "../stacks/schema/structure.ts";
import type { KeyMeta } from "../stacks/schema/values.ts";

/** One key of the configuration, as its schema describes it. */
export interface ConfigKey {
  /** Where it is: `services[].stable.image`, `certificates.clusters.<cluster>.key`. */
  readonly path: string;
  readonly schema: z.core.$ZodType;
  /** What its value is, in words: `list of text`. */
  readonly type: string;
  readonly required: boolean;
  /** The schema's default; undefined if there is none. */
  readonly default: unknown;
  /** What its value must hold beside the type, each as `must be …` or `each must be …`. */
  readonly rules: readonly string[];
  readonly meta: KeyMeta;
  /** The keys within its value, or within each element of it; none where another key tells them. */
  readonly children: readonly ConfigKey[];
}

type Shape = Readonly<Record<string, z.core.$ZodType>>;

/** The messages of the rules on a schema itself. */
function ownRules(type: z.core.$ZodType): string[] {
  return layers(type).flatMap(({ _zod: { def } }) =>
    (def.checks ?? []).flatMap((check) => {
      const error = check._zod.def.error as z.core.$ZodErrorMap | undefined;
      const message = error?.({ code: "custom", input: undefined });
      return typeof message === "string" ? [message] : [];
    }),
  );
}

function rulesOf(type: z.core.$ZodType): readonly string[] {
  const { def } = bare(type)._zod;
  const inner = (kind: string, of: z.core.$ZodType) =>
    ownRules(of).map((text) => `${kind} ${text}`);
  switch (def.type) {
    case "array":
      return [...ownRules(type), ...inner("each", def.element)];
    case "record":
      return [
        ...ownRules(type),
        ...inner("each key", def.keyType),
        ...inner("each value", def.valueType),
      ];
    default:
      return ownRules(type);
  }
}

function typeOf(type: z.core.$ZodType): string {
  const { def } = bare(type)._zod;
  const plural = (of: z.core.$ZodType) => typeOf(of).replace(/^(map|list|whole number)\b/, "$1s");
  switch (def.type) {
    case "string":
      return "format" in def && def.format === "url" ? "URL" : "text";
    case "enum":
      return "text";
    case "number":
      return metaOf(type).type === "integer" ? "whole number" : "number";
    case "boolean":
      return "true or false";
    case "array":
      return `list of ${plural(def.element)}`;
    case "record":
      return `map of ${plural(def.valueType)}`;
    case "object":
      return metaOf(type).shorthand === undefined ? "map" : `map or ${metaOf(type).shorthand}`;
    case "unknown":
      return "anything";
    default:
      throw new Error(`no words for values of type ${def.type}; add them here`);
  }
}

function defaultOf(type: z.core.$ZodType): unknown {
  for (const {
    _zod: { def },
  } of layers(type)) {
    if (def.type === "default" || def.type === "prefault") {
      return def.defaultValue;
    }
  }
  return undefined;
}

function childrenOf(
  type: z.core.$ZodType,
  path: string,
  effect: string | undefined,
): readonly ConfigKey[] {
  const { def } = bare(type)._zod;
  switch (def.type) {
    case "object":
      return configKeys(def.shape, `${path}.`, effect);
    case "array":
      return childrenOf(def.element, `${path}[]`, effect);
    case "record":
      return childrenOf(def.valueType, `${path}.<${metaOf(type).placeholder ?? "key"}>`, effect);
    default:
      return [];
  }
}

/**
 * The keys of a schema in its order, each with the keys below it.
 *
 * @param prefix what stands before their names
 * @param above effect of a change of the key they are in, which holds where they say nothing else
 * @throws Error if a key has no description
 */
export function configKeys(shape: Shape, prefix = "", above?: string): readonly ConfigKey[] {
  return Object.entries(shape).map(([name, type]) => {
    const path = `${prefix}${name}`;
    const { description, effect = above, ...meta } = metaOf(type);
    if (description === undefined || description === "") {
      throw new Error(`${path} has no description; give it one with key() in stacks/schema`);
    }
    return {
      path,
      schema: type,
      type: typeOf(type),
      required: !layers(type).some(({ _zod: { def } }) =>
        ["optional", "default", "prefault"].includes(def.type),
      ),
      default: defaultOf(type),
      rules: [...new Set([...rulesOf(type), ...(meta.rules ?? [])])],
      meta: { ...meta, description, ...(effect !== undefined && { effect }) },
      children: meta.sameAs === undefined ? childrenOf(type, path, effect) : [],
    };
  });
}

/** A key and all below it, each after the one it is in. */
export function flatten(key: ConfigKey): readonly ConfigKey[] {
  return [key, ...key.children.flatMap(flatten)];
}

/** What holds when the key is left out, in words; `code` marks values. */
export function defaultText(key: ConfigKey, code: (value: string) => string): string {
  if (key.required) {
    return "required";
  }
  if (key.meta.fallback !== undefined) {
    return key.meta.fallback;
  }
  if (key.default === undefined) {
    throw new Error(
      `${key.path} may be left out, but nothing says what holds then: give it a fallback`,
    );
  }
  if (key.type === "map") {
    return "those of its keys";
  }
  const value = inline(key.default);
  return value === "[]" || value === "{}" ? "none" : code(value);
}

/** A value as one line of YAML. */
function inline(value: unknown): string {
  return dump(value, { flowLevel: 0, lineWidth: -1, quoteStyle: "double" }).trim();
}
