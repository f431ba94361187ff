import { isDeepStrictEqual } from "node:util";
import { show } from "./problems.ts";

/** One place in which two values differ. */
export interface Difference {
  /** Where, as `spec.http[0].route`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Every innermost place in which two JSON values differ; the order of keys means nothing. */
export function differencesOf(before: unknown, after: unknown, path = ""): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) {
    return [{ path, before, after }];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) =>
    differencesOf(
      before[key],
      after[key],
      Array.isArray(before) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
    ),
  );
}

/** A difference for a person: `spec.timeout: was "10s", is "3s"`. */
export function differenceLine({ path, before, after }: Difference): string {
  return `${path === "" ? "" : `${path}: `}was ${show(before)}, is ${show(after)}`;
}
