import * as z from "zod";

const textMatch = z.looseObject({ exact: z.string().optional(), regex: z.string().optional() });
const destination = z.looseObject({ host: z.string().optional(), subset: z.string().optional() });
const headerChange = z.looseObject({
  set: z.record(z.string(), z.string()).optional(),
  add: z.record(z.string(), z.string()).optional(),
  remove: z.array(z.string()).optional(),
});
const headerChanges = z.looseObject({
  request: headerChange.optional(),
  response: headerChange.optional(),
});
const ruleDestination = z.looseObject({
  destination,
  weight: z.number().optional(),
  headers: headerChanges.optional(),
});

/** What a rule, or one of its destinations, does to headers. */
export type HeaderChanges = z.infer<typeof headerChanges>;

/** A destination of a rule, with its share of the rule's requests. */
export type RuleDestination = z.infer<typeof ruleDestination>;

/**
 * A VirtualService's spec as API servers and Pulumi's state have it, whoever has written it. What this program does
 * not read stays in it, so that it can be written back. (Istio: networking.istio.io/v1 VirtualService)
 */
export const virtualServiceSpec = z.looseObject({
  http: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        match: z
          .array(
            z.looseObject({
              headers: z.record(z.string(), textMatch).optional(),
              withoutHeaders: z.record(z.string(), textMatch).optional(),
              uri: z.record(z.string(), z.string()).optional(),
              gateways: z.array(z.string()).optional(),
            }),
          )
          .optional(),
        route: z.array(ruleDestination).default([]),
        headers: headerChanges.optional(),
        rewrite: z
          .looseObject({
            uri: z.string().optional(),
            uriRegexRewrite: z.looseObject({ match: z.string(), rewrite: z.string() }).optional(),
            authority: z.string().optional(),
          })
          .optional(),
        timeout: z.string().optional(),
        retries: z.looseObject({ attempts: z.number() }).optional(),
        mirror: destination.optional(),
        mirrorPercentage: z.looseObject({ value: z.number() }).optional(),
      }),
    )
    .default([]),
});
