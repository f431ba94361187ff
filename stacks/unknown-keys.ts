import { closestMatch } from "leven";
import type { Problem } from "../lib/problems.ts";
import { keysAt } from "./schema/structure.ts";
import { OWNED_POLICY_KEYS } from "./schema/traffic-policy.ts";
import { schema, type ConfigKey } from "./schema.ts";

/** How many letters of a key may be wrong for another key to be meant; two that are swapped are two. */
function tolerance(letters: number): number {
  return letters <= 3 ? 1 : Math.max(2, Math.floor(letters * 0.4));
}

/** A name without what is often written another way: case, hyphens, underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/**
 * The one of `known` that is likely meant by `written`.
 *
 * @param maxDistance letters that may differ
 */
export function nearest(
  written: string,
  known: readonly string[],
  maxDistance = tolerance(plain(written).length),
): string | undefined {
  const names = new Map(known.map((name) => [plain(name), name]));
  const match = closestMatch(plain(written), [...names.keys()], { maxDistance });
  return match === undefined ? undefined : names.get(match);
}

/** A key that stands below a top-level key, at a place in its value. */
export function unknownInner(
  top: ConfigKey,
  place: readonly PropertyKey[],
  shownPlace: string,
  name: string,
): Problem {
  const owned = place.at(-1) === "trafficPolicy" ? OWNED_POLICY_KEYS[name] : undefined;
  if (owned !== undefined) {
    return {
      path: `${shownPlace}.${name}`,
      rule: `must be left out: ${owned}`,
      fix: "Remove it.",
    };
  }
  const near = nearest(name, keysAt(schema[top], place));
  return {
    path: `${shownPlace}.${name}`,
    rule: "is not a configuration key",
    fix:
      near === undefined
        ? "Check its spelling, or remove it; docs/configuration.md describes all keys."
        : `Did you mean ${near}? docs/configuration.md describes all keys.`,
  };
}

/** Top-level keys that the program does not know; `names` are without the project's name. */
export function unknownTopLevel(names: readonly string[]): Problem[] {
  const known = Object.keys(schema);
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      return {
        path: name,
        rule: "is not a configuration key",
        fix: `${near === undefined ? "" : `Did you mean ${near}? `}Remove it with: pulumi config rm ${name}`,
      };
    });
}

/**
 * Keys whose namespace is almost the project's: Pulumi hands them to whoever asks for that namespace,
 * and nobody does.
 *
 * @param names keys with their namespaces, such as `istio-canray:weight`
 */
export function misspeltNamespaces(names: readonly string[], project: string): Problem[] {
  return names.flatMap((name) => {
    const [namespace = "", ...rest] = name.split(":");
    return namespace !== project && nearest(namespace, [project], 2) !== undefined
      ? [
          {
            path: name,
            rule: "is in a namespace that no program uses",
            fix: `Did you mean ${project}:${rest.join(":")}? Remove it with: pulumi config rm ${name}`,
          },
        ]
      : [];
  });
}
