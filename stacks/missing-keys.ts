import type { Problem } from "../lib/problems.ts";
import type { Loose } from "./checks.ts";

/** Keys of `of` that must be there, and are not; `fix` tells what to write for one. */
export function missingKeys(
  of: Loose,
  path: string,
  keys: readonly string[],
  fix: (key: string) => string,
): Problem[] {
  return keys.flatMap((key) =>
    of[key] === undefined ? [{ path: `${path}.${key}`, rule: "must be given", fix: fix(key) }] : [],
  );
}
