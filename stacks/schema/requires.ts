import * as z from "zod";
import { key, pattern } from "./values.ts";

/** Another stack in which a version must have been released first. */
export const requires = z.strictObject({
  stack: key(
    pattern(
      /^[^/\s]+(\/[^/\s]+\/[^/\s]+)?$/,
      "must be the name of a stack of this project, or the full name of another: ORGANIZATION/PROJECT/STACK",
      "For example: staging. pulumi stack ls lists the names.",
    ),
    {
      description:
        "The stack, in the same backend. What its last update has said counts, its outputs `versions`.",
      rules: ["must be another stack than this one"],
      examples: ["staging", "organization/istio-canary/staging"],
    },
  ),
  promoted: key(z.boolean().default(false), {
    description:
      "Whether the version must be the stable one there. Otherwise it is enough that it serves 100 % as the canary in every cluster, which holds as soon as that is in force: the last phase's gates may still judge it.",
    examples: [true],
  }),
});

export type Requires = z.output<typeof requires>;
