import { readFileSync } from "node:fs";
import type { KubernetesObject } from "@kubernetes/client-node";
import { loadAll } from "js-yaml";

/** The objects in a file of an example. */
export function exampleManifests(example: string, file: string): readonly KubernetesObject[] {
  const at = new URL(`../../examples/${example}/${file}`, import.meta.url);
  const documents = loadAll(readFileSync(at, "utf8")) as (KubernetesObject | undefined | null)[];
  return documents.flatMap((each) => each ?? []);
}
