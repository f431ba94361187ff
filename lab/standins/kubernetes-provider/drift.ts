import { isDeepStrictEqual } from "node:util";
import { hasSecret, isFields, isSecret, plain, secret, type Fields, type Value } from "./values.ts";

/**
 * Inputs with what has changed on the server since the last update. A field takes its live value only
 * where that differs from the live value of last time, so that what the server had filled in or
 * written differently from the start does not show as drift. A field that is gone is left out.
 */
export function driftedInputs(inputs: Fields, before: Fields, live: Fields): Fields {
  const result: Fields = {};
  for (const [key, value] of Object.entries(inputs)) {
    if (value === undefined) continue;
    result[key] = drifted(value, before[key], live[key]);
  }
  return result;
}

function drifted(
  input: Value,
  before: Value | undefined,
  live: Value | undefined,
): Value | undefined {
  if (isSecret(input)) {
    const inner = drifted(input["value"] ?? null, plainOrUndefined(before), live);
    return inner === undefined ? undefined : secret(inner);
  }
  const last = isSecret(before) ? before["value"] : before;
  if (isFields(input) && isFields(live)) {
    return driftedInputs(input, isFields(last) ? last : {}, live);
  }
  if (Array.isArray(input) && Array.isArray(live) && input.length === live.length) {
    const items = Array.isArray(last) ? last : [];
    return input.map((item, index) => drifted(item, items[index], live[index]) ?? null);
  }
  if (isDeepStrictEqual(plainOrUndefined(last), live)) return input;
  return live !== undefined && hasSecret(input) ? secret(live) : live;
}

function plainOrUndefined(value: Value | undefined): Value | undefined {
  return value === undefined ? undefined : plain(value);
}
