import { createHash } from "node:crypto";
import * as z from "zod";

/**
 * A resource of a recorded stack, as far as a preview depends on it. Its dependencies are left out: where nothing else
 * has changed, they make no step, and only change the order of later updates.
 */
const recordedResource = z.strictObject({
  /** Its URN without stack and project: `type$type::name`. */
  urn: z.string(),
  /** The same of its parent. @default "": the stack */
  parent: z.string(),
  /** Name of its provider. @default "": none is named */
  provider: z.string(),
  /** What `comparable` leaves of its inputs. */
  inputs: z.record(z.string(), z.unknown()),
  /** What the program reads of it: what only a cluster, another stack, or another time could tell. @default nothing */
  state: z.record(z.string(), z.unknown()).optional(),
});

/** What is kept of a stack, to see later what an update to a newer program would change. */
export const recordedStack = z.strictObject({
  /** Name of the project, which is part of every URN. */
  project: z.string(),
  /** The stack's configuration, without the project's name. */
  config: z.record(z.string(), z.unknown()),
  /** The stack's outputs. */
  outputs: z.record(z.string(), z.unknown()),
  resources: z.array(recordedResource),
});
export type RecordedResource = z.infer<typeof recordedResource>;
export type RecordedStack = z.infer<typeof recordedStack>;

type Fields = Readonly<Record<string, unknown>>;

/** Texts that differ from machine to machine, and what stands for them in a recording. */
export type Placeholders = Readonly<Record<string, string>>;

// The engine's mark of a secret (sdk/go/common/resource).
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Longest text that is kept as it is. */
const LONGEST_TEXT = 200;

/** Inputs that are not compared, by type. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  // The root certificate, which is another one in every stack. The SDK adds `__provider`, the provider's code, which the
  // provider itself does not compare.
  "pulumi-nodejs:dynamic/istio-canary:Certificate": ["issuerCertificate", "__provider"],
  // Of the chart's archive, from the provider.
  "kubernetes:helm.sh/v3:Release": ["checksum"],
  // From the engine.
  "pulumi:providers:kubernetes": ["__internal"],
};

/** The URN without what differs from stack to stack; a stack itself is "". */
export function placeOf(urn: string): string {
  const place = urn.split("::").slice(2).join("::");
  return place.startsWith("pulumi:pulumi:Stack::") ? "" : place;
}

/** The type of the resource at a place, without those of its parents. */
export function typeOf(place: string): string {
  return place.split("::")[0]?.split("$").at(-1) ?? "";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (!isFields(value)) return value;
  if (value[SIGNATURE] === SECRET) return "[secret]";
  return mapFields(value, change);
}

function mapFields(fields: Fields, change: (text: string) => string): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, mapTexts(item, change)]),
  );
}

/** The same with placeholders instead of what differs from machine to machine. */
export function portable(fields: Fields, placeholders: Placeholders): Fields {
  return mapFields(fields, (text) =>
    Object.entries(placeholders).reduce((result, [from, to]) => result.replaceAll(from, to), text),
  );
}

/**
 * Inputs or outputs as recordings have them, to be compared. Of a secret there is only that it is one, of a long text
 * its digest, and nothing of what is not compared.
 *
 * @param type of the resource. @default all is compared
 */
export function comparable(fields: Fields, placeholders: Placeholders, type = ""): Fields {
  const leftOut = LEFT_OUT[type] ?? [];
  const kept = Object.entries(fields).filter(([key]) => !leftOut.includes(key));
  return mapFields(portable(Object.fromEntries(kept), placeholders), (text) =>
    text.length > LONGEST_TEXT ? `sha256 ${createHash("sha256").update(text).digest("hex")}` : text,
  );
}
