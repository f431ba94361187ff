import type * as z from "zod";
import { schema } from "../stacks/schema.ts";
import type { Digest } from "./digest.ts";

/** What the stack is configured with, or the default where that is invalid: Pulumi itself reports that. */
export function configured<K extends "away" | "chain" | "phases" | "quarantine">(
  { config }: Digest,
  key: K,
) {
  type Value = z.output<(typeof schema)[K]>;
  try {
    return schema[key].parse(JSON.parse(config[`istio-canary:${key}`] ?? "")) as Value;
  } catch {
    return schema[key].parse(undefined) as Value;
  }
}
