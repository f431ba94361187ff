import fc from "fast-check";
import type { Fields } from "../../standins/kubernetes-provider/values.ts";

/** Objects as they occur in Kubernetes: any depth, keys as in labels and field names. */
export const anyObject = fc.object({
  key: fc.stringMatching(/^[a-z][a-zA-Z0-9./-]{0,8}$/),
  values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null)],
  maxDepth: 4,
}) as fc.Arbitrary<Fields>;
