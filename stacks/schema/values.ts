import * as z from "zod";
import { durationMs, NO_LIMIT } from "../../lib/duration.ts";
import { isDnsLabel, isDnsName, isLabelValue, isServiceName } from "../../lib/names.ts";

/**
 * Whose a top-level key is. mesh: it says how a mesh is installed, and only the stack that installs one
 * has it. release: it says what is released, and a rollback restores it. stack: it says how this stack
 * is run, and a rollback leaves it as it is.
 */
type Owner = "mesh" | "release" | "stack";

/**
 * How much of a key's value decides how requests are routed, and so is in the digest that names a
 * routing: all of it, those of its keys that say so themselves, or none.
 */
type Routing = "all" | "parts" | "none";

/** What a key's schema says about it in `.meta()`, from which its documentation is generated. */
export interface KeyMeta {
  /** What the key means, in sentences. Every key has one. */
  readonly description: string;
  /** What a change does to a running mesh. @default as on the key above it */
  readonly effect?: string;
  /** What holds when the key is left out and the schema has no default. @default nothing */
  readonly fallback?: string;
  /** Values to show, the simplest first. */
  readonly examples?: readonly unknown[];
  /** Rules that checks.ts adds, worded like the schema's own: `must be …`. */
  readonly rules?: readonly string[];
  /** Whether the value may be encrypted in the stack's file. @default false */
  readonly secret?: boolean;
  /** What the keys of a map are, as it stands for them in paths: `<cluster>`. */
  readonly placeholder?: string;
  /** What a map may be written as instead, and then stands for the first of its keys. @default a map alone */
  readonly shorthand?: "text";
  /** Path of another key with the same keys within it, where these are told. @default they are told here */
  readonly sameAs?: string;
  /** Must be said by each key within one of "parts". @default as the key above it */
  readonly routing?: Routing;
}

/** What a top-level key's schema says about it in addition. */
export interface TopKeyMeta extends KeyMeta {
  readonly owner: Owner;
  readonly routing: Routing;
  /** Whether a stack that installs a mesh must have it. @default false */
  readonly meshNeeds?: boolean;
}

/** What a key says for which JSON Schema has no keyword. */
export const docKeywords = [
  "effect",
  "fallback",
  "rules",
  "secret",
  "placeholder",
  "sameAs",
  "routing",
  "owner",
  "meshNeeds",
  "shorthand",
] as const satisfies (keyof TopKeyMeta)[];

/** Adds to a schema what is told about its key. Goes last, around defaults. */
export function key<T extends z.ZodType>(schema: T, meta: KeyMeta): T {
  return schema.meta({ ...meta });
}

/** The same for a key at the top, which must say whose it is and whether it decides the routing. */
export function topKey<T extends z.ZodType>(schema: T, meta: TopKeyMeta): T {
  return key(schema, meta);
}

/** A rule on top of the type, with what to write instead. */
export function rule<T extends z.ZodType>(
  schema: T,
  holds: (value: z.output<T>) => boolean,
  error: string,
  fix: string,
): T {
  return schema.refine(holds, { error, params: { fix } });
}

/** Keywords of JSON Schema by which editors know what a rule wants, as far as they can tell it. */
type Keywords = Readonly<Record<string, unknown>>;

export const text = (
  holds: (value: string) => boolean,
  error: string,
  fix: string,
  keywords: Keywords = {},
) => rule(z.string().meta(keywords), holds, error, fix);

/** Text that matches a regular expression. */
export const pattern = (expression: RegExp, error: string, fix: string) =>
  text((value) => expression.test(value), error, fix, { pattern: expression.source });

/** Any text but the empty one. */
export const filled = (example: string) =>
  text((value) => value !== "", "must not be empty", `For example: ${example}.`, {
    minLength: 1,
  });

export const whole = (min: number, max: number, fix: string) =>
  rule(
    z.number().meta({ type: "integer", minimum: min, maximum: max }),
    (value) => Number.isInteger(value) && value >= min && value <= max,
    `must be a whole number from ${min} to ${max}`,
    fix,
  );

const LABEL = { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", maxLength: 63 };
export const label = (example: string) =>
  text(
    isDnsLabel,
    "must be a DNS label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends",
    `For example: ${example}.`,
    LABEL,
  );

export const labelValue = (example: string) =>
  text(
    isLabelValue,
    "must be the value of a label: at most 63 of a-z, A-Z, 0-9, -, _ and ., with a letter or digit at both ends",
    `For example: ${example}.`,
    { pattern: "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", maxLength: 63 },
  );

export const domain = (example: string) =>
  text(isDnsName, "must be a domain name in lower case", `For example: ${example}.`, {
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    maxLength: 253,
  });

export const serviceName = (example: string) =>
  text(
    isServiceName,
    "must be a DNS label that begins with a letter: at most 63 of a-z, 0-9 and -",
    `For example: ${example}.`,
    { ...LABEL, pattern: "^[a-z]([-a-z0-9]*[a-z0-9])?$" },
  );

/** Text that YAML and `pulumi config set --path` may take for a number or a boolean. */
export const scalar = <T extends z.ZodType<string>>(schema: T) =>
  z.preprocess(
    (value) => (typeof value === "number" || typeof value === "boolean" ? String(value) : value),
    schema,
  );

export const DURATION = /^(?:\d+(?:\.\d+)?(?:h|ms|m|s))+$/;
export const duration = (example: string) =>
  text(
    (value) => DURATION.test(value) && durationMs(value) >= 1,
    "must be a duration of at least 1ms with its unit: h, m, s or ms",
    `For example: ${example}.`,
    { pattern: DURATION.source },
  );

/** A duration, or `none` where there is to be no limit: 0s is easily taken for the opposite, and Istio's CRD refuses it. */
export const durationOrNone = (example: string) =>
  text(
    (value) => value === NO_LIMIT || (DURATION.test(value) && durationMs(value) >= 1),
    "must be a duration of at least 1ms with its unit, h, m, s or ms, or none for no limit",
    `For example: ${example}.`,
    { pattern: `^none$|${DURATION.source}` },
  );

/** An image that is the same wherever and whenever it is pulled. */
export const image = (example: string) =>
  text(
    (value) =>
      /^[a-z0-9][\w.\-/:@]*$/.test(value) &&
      (/@sha256:[0-9a-f]{64}$/.test(value) || /:[\w][\w.-]{0,127}$/.test(value)) &&
      !value.endsWith(":latest"),
    "must be an image with a tag other than latest, or with a digest, so that all clusters run the same",
    `For example: ${example}.`,
    {
      pattern: "^(?!.*:latest$)[a-z0-9][\\w.\\-/:@]*(@sha256:[0-9a-f]{64}|:[\\w][\\w.-]{0,127})$",
    },
  );
