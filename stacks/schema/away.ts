import * as z from "zod";
import { key } from "./values.ts";

/** A cluster that is away. Its name alone stands for one that is not drained. */
export const awayCluster = z
  .preprocess(
    (value) => (typeof value === "string" ? { name: value } : value),
    z.strictObject({
      name: key(z.string(), {
        description: "The cluster's name.",
        examples: ["cluster-b"],
      }),
      drain: key(z.boolean().default(false), {
        description:
          "Whether the other clusters send it nothing, either: its endpoints leave their proxies, their istiods read it no more, and hosts that name it answer 503 at once. For a cluster whose pods do not serve, or are not to.",
        rules: [
          "must be false in a stack with meshStack, with mesh.istio: existing, or without services",
          "must be false until the other clusters have the pods for its requests too",
          "once it was true, must stay true until the cluster is taken out of away",
        ],
        effect:
          "When it becomes true, in the other clusters, at once. When the cluster is taken out of away, it is made equal to the others first; the next update lets them send it requests again.",
        examples: [true],
      }),
    }),
  )
  .meta({ shorthand: "text" });

/** A cluster that is away, as it is configured. */
export type AwayCluster = z.output<typeof awayCluster>;

/** The names of the clusters. */
export function namesOf(away: readonly AwayCluster[]): readonly string[] {
  return away.map(({ name }) => name);
}

/** The names of those that are drained. */
export function drainedOf(away: readonly AwayCluster[]): readonly string[] {
  return namesOf(away.filter(({ drain }) => drain));
}
