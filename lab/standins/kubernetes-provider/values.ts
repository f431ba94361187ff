/** Property values as the engine and a provider exchange them: JSON, plus marks for secrets and unknowns. */
import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import type { JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb.js";

export type Value = null | boolean | number | string | Value[] | Fields;
export interface Fields {
  [key: string]: Value | undefined;
}

// The engine's marks (sdk/go/common/resource: signatures and plugin/rpc.go: unknown values). The SDK exports some of them,
// from a module with all of its runtime, which would be loaded at every start of the provider.
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
export const ASSET = "c44067f5952c0a294b673a41bacd8c17";
/** Stands for a value that is known only after the update. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const UNKNOWNS = new Set<unknown>([
  UNKNOWN,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // boolean
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
]);

export function isFields(value: Value | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isSecret(value: Value | undefined): value is Fields {
  return isFields(value) && value[SIGNATURE] === SECRET;
}

/** Whether the value is an asset, such as a file passed as `FileAsset`. */
export function isAsset(value: Value | undefined): value is Fields {
  return isFields(value) && value[SIGNATURE] === ASSET;
}

export function secret(value: Value): Fields {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** What a secret holds; any other value as it is. */
export function reveal(value: Value | undefined): Value | undefined {
  return isSecret(value) ? value["value"] : value;
}

/** The value without secret marks at any depth. */
export function plain(value: Fields): Fields;
export function plain(value: Value): Value;
export function plain(value: Value): Value {
  if (isSecret(value)) return plain(value["value"] ?? null);
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (!isFields(value)) return value;
  return mapFields(value, (item) => plain(item));
}

function some(value: Value | undefined, test: (value: Value | undefined) => boolean): boolean {
  if (test(value)) return true;
  if (Array.isArray(value)) return value.some((item) => some(item, test));
  return isFields(value) && Object.values(value).some((item) => some(item, test));
}

export function hasUnknown(value: Value | undefined): boolean {
  return some(value, (item) => UNKNOWNS.has(item));
}

export function hasSecret(value: Value | undefined): boolean {
  return some(value, isSecret);
}

/** The fields without some of them. */
export function omit(fields: Fields, ...keys: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)));
}

/** Applies a function to each field that has a value. */
export function mapFields(fields: Fields, map: (value: Value, key: string) => Value): Fields {
  const result: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) result[key] = map(value, key);
  }
  return result;
}

/** The value at a path of field names, or undefined where the path ends early. Looks through secrets. */
export function at(value: Value | undefined, ...path: string[]): Value | undefined {
  let found = reveal(value);
  for (const key of path) {
    if (!isFields(found)) return undefined;
    found = reveal(found[key]);
  }
  return found;
}

/** The string at a path; undefined if there is none, or if it is not known yet. */
export function textAt(value: Value | undefined, ...path: string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" && !UNKNOWNS.has(found) ? found : undefined;
}

/** The list at a path; empty if there is none. */
export function listAt(value: Value | undefined, ...path: string[]): Value[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The fields at a path; empty if there are none. */
export function fieldsAt(value: Value | undefined, ...path: string[]): Fields {
  const found = at(value, ...path);
  return isFields(found) ? found : {};
}

/**
 * Marks as secret in `output` what is secret in `input`. A list that holds a secret becomes secret as
 * a whole, since the server may have put its items in another order.
 */
export function withSecretsOf(output: Fields, input: Fields): Fields {
  return mapFields(output, (value, key) => {
    const given = input[key];
    if (isSecret(value) || !hasSecret(given)) return value;
    if (isFields(value) && isFields(given) && !isSecret(given)) return withSecretsOf(value, given);
    return secret(value);
  });
}

/** The strings that must not be shown: every leaf inside a secret. */
export function secretTexts(value: Value | undefined, inside = false): string[] {
  if (isSecret(value)) return secretTexts(value["value"], true);
  if (Array.isArray(value)) return value.flatMap((item) => secretTexts(item, inside));
  if (isFields(value)) return Object.values(value).flatMap((item) => secretTexts(item, inside));
  return inside && typeof value === "string" ? [value] : [];
}

/** Takes secrets out of a message, plain or base64; very short ones would only garble it. */
export function redact(message: string, secrets: readonly string[]): string {
  let safe = message;
  for (const text of secrets) {
    if (text.length < 4) continue;
    for (const form of [text, Buffer.from(text).toString("base64")]) {
      safe = safe.replaceAll(form, "[secret]");
    }
  }
  return safe;
}

export function fromStruct(struct: Struct | undefined): Fields {
  return struct?.toJavaScript() ?? {};
}

export function toStruct(fields: Fields): Struct {
  // Fields without a value would become null.
  const given = mapFields(fields, withoutUndefined) as Record<string, JavaScriptValue>;
  return structPb.Struct.fromJavaScript(given);
}

function withoutUndefined(value: Value): Value {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  return isFields(value) ? mapFields(value, withoutUndefined) : value;
}
