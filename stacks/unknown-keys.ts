import { nearest } from "../lib/nearest.ts";
import type { Problem } from "../lib/problems.ts";
import { keysAt } from "./schema/structure.ts";
import { OWNED_POLICY_KEYS } from "./schema/traffic-policy.ts";
import { EVERY_CLUSTER } from "./some-clusters.ts";
import { schema, type ConfigKey } from "./schema.ts";

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
  if (top === "services" && place.length === 1 && name === "clusters") {
    return {
      path: `${shownPlace}.${name}`,
      rule: `must be left out: a service runs in every cluster of the stack, since ${EVERY_CLUSTER.why}`,
      fix: EVERY_CLUSTER.fix,
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
