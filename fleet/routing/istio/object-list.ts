import * as z from "zod";

/** A routing object, as far as it says who has made it. */
export const routingObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
});

/** A page of an API server's list of custom objects. */
export function objectList<T extends z.ZodType>(object: T) {
  return z.looseObject({
    metadata: z.looseObject({ continue: z.string().optional() }).optional(),
    items: z.array(object),
  });
}
