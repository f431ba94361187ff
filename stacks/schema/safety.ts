import * as z from "zod";
import { ASK_ENVOYS } from "../../lib/ask-envoys.ts";
import { EXCEPTIONS } from "../../lib/exceptions.ts";
import { ALL, percentOf } from "../../lib/who-counts.ts";
import { duration, filled, key, label, rule, scalar, text, whole } from "./values.ts";

/** Rules of a release that are switched off. */
export const allow = z
  .array(z.enum(EXCEPTIONS, { error: `must be one of ${EXCEPTIONS.join(", ")}` }))
  .default([]);

const exclusion = rule(
  z.strictObject({
    namespace: key(label("batch").optional(), {
      description: "Namespace of the pods.",
      fallback: "All namespaces.",
      examples: ["batch"],
    }),
    labels: key(z.record(filled("mesh"), scalar(z.string())).optional(), {
      description: "Labels that the pods have, all of them.",
      fallback: "Any labels.",
      placeholder: "label",
      examples: [{ mesh: "other" }],
    }),
  }),
  ({ namespace, labels = {} }) => namespace !== undefined || Object.keys(labels).length > 0,
  "must name a namespace or a label: it would exclude every sidecar",
  "For example: namespace: batch.",
);

/** Limits for a change of weights. */
export const safety = z.strictObject({
  checkWithin: key(duration("20s").default("20s"), {
    description:
      "How long the checks before a weight rises look again at what may recover by itself, such as a pod that is not ready yet or does not answer, before they refuse. What cannot recover is refused at once. The last look may add the time that its answers take: about 10 s for a pod that gives none, `lookWithin` at most.",
    examples: ["20s"],
  }),
  lookWithin: key(duration("45s").default("45s"), {
    description:
      "Longest time that one look of the checks may take. Proxies are asked in it, 32 of each cluster at a time: raise it with `askEnvoys`. With less than about 40s, a check may not get to name a pod that gives no answer.",
    examples: ["45s", "3m"],
  }),
  confirmWithin: key(duration("30s").default("30s"), {
    description:
      "Longest wait for every Envoy to serve a new weight, before it is taken back in all clusters.",
    examples: ["30s"],
  }),
  askEnvoys: key(whole(0, 100_000, "Write a number, for example 100.").default(ASK_ENVOYS), {
    description:
      "How many Envoys of a cluster are asked themselves what they serve. A cluster with no more proxies than that has every Envoy asked. In a larger one these are all gateways, and sidecars of as many workloads as possible; for the others, what they have acknowledged to their istiod counts: docs/scaling.md.",
    examples: [100, 1000],
  }),
  confirm: key(
    text(
      (value) => percentOf(value) !== undefined,
      "must be all, or a percentage from 50% to 99.9%",
      "For example: 98%.",
      { pattern: "^(all|[5-9]\\d(\\.\\d)?%)$" },
    ).default(ALL),
    {
      description:
        "How many of the proxies of each cluster must confirm a weight. With a percentage, those that have not within `confirmWithin` are left out, and named in the output, if they are few enough; every gateway must confirm, and for each service at least one Envoy that routes to it. It holds for each cluster by itself, and for weights alone: before a version goes, and for the rules of a chain, all must confirm.",
      examples: ["all", "98%"],
    },
  ),
  exclude: key(z.array(exclusion).default([]), {
    description:
      "Sidecars that are not asked and do not count, such as those of another mesh: those that have everything which one of the entries names. They may go on as they were, also with a version that goes. Gateways cannot be excluded.",
    examples: [[{ namespace: "batch" }, { labels: { mesh: "other" } }]],
  }),
  certificateDays: key(whole(0, 3650, "Write a number of days, for example 7.").default(7), {
    description: "Days that every certificate authority must still be valid for a weight to rise.",
    examples: [7],
  }),
  clockSkew: key(duration("5s").default("5s"), {
    description: "How far the clocks of the API servers may differ for a weight to rise.",
    examples: ["5s"],
  }),
  capacity: key(
    rule(
      z.number().meta({ minimum: 0, maximum: 10 }),
      (factor) => factor >= 0 && factor <= 10,
      "must be a number from 0 to 10",
      "For example: 0.5.",
    ).default(0.5),
    {
      description:
        "Pods that a canary must have for a weight to rise, as a part of its share of the pods that stable needs for all requests: at 0.5 a canary that is about to get 30 % of the requests of 20 pods needs 3. An autoscaler that may add as many will do, too. 0 asks for one pod.",
      examples: [0.5, 1],
    },
  ),
});

export type Safety = z.output<typeof safety>;
