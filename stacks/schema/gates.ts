import * as z from "zod";
import { durationMs } from "../../lib/duration.ts";
import { httpHeaders } from "./http.ts";
import { duration, filled, key, label, rule, whole } from "./values.ts";

/** Gates that need no query of one's own. */
export const BUILT_IN_GATES = ["successRate", "latency", "unreached", "share"] as const;

/** Upper bounds of Istio's buckets of `istio_request_duration_milliseconds`, as far as they make sense here. */
const BUCKETS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

const percent = (example: number) =>
  rule(
    z.number().meta({ minimum: 0, maximum: 100 }),
    (value) => value >= 0 && value <= 100,
    "must be a number from 0 to 100",
    `For example: ${example}.`,
  );

/** What the share of good requests is compared with; the same for each gate that counts bad ones. */
const limits = {
  atLeast: key(percent(99).default(99), {
    description: "Percent of the canary's requests that must be good.",
    examples: [99],
  }),
  margin: key(percent(1).default(1), {
    description:
      "Points by which the share of good requests may be lower than stable's. At weight 100 stable gets none; the canary is then compared with the requests that stable got before the phase.",
    examples: [1],
  }),
  against: key(
    z
      .enum(["looser", "fixed", "stable"], { error: "must be looser, fixed or stable" })
      .default("looser"),
    {
      description:
        "What counts: `fixed` is `atLeast`, `stable` is `margin`, and `looser` is whichever of the two allows more, so the canary is not blamed for what stable does too.",
      rules: ["must be looser, fixed or stable"],
      examples: ["looser"],
    },
  ),
  precision: key(percent(4).default(4), {
    description:
      "Points by which the true share may be worse than allowed while the gate still passes, because there were too few requests to tell. Lower values need more requests before a phase can end.",
    examples: [4],
  }),
};

/** Limits of one gate in one phase; what is left out is as in the other phases. */
const limitsInPhase = z.strictObject({
  atLeast: key(percent(99).optional(), {
    description: "Percent of the canary's requests that must be good in this phase.",
    fallback: "as in the other phases",
    examples: [99.9],
  }),
  margin: key(percent(1).optional(), {
    description: "Points by which the share of good requests may be lower than stable's.",
    fallback: "as in the other phases",
    examples: [0.5],
  }),
  precision: key(percent(4).optional(), {
    description: "Points by which the true share may be worse than allowed, for this gate alone.",
    fallback: "`precision` of the phase",
    examples: [1],
  }),
});

/** What the gates ask for in one phase. */
export const gatesInPhase = {
  precision: key(percent(4).optional(), {
    description: "Precision of all gates in this phase.",
    fallback: "what each gate has in the other phases",
    examples: [1],
  }),
  gates: key(z.record(z.string(), limitsInPhase).default({}), {
    description:
      "Limits that differ in this phase, by the gate's name. Those of `successRate` are for `unreached` too.",
    fallback: "those of the other phases",
    rules: ["each key must be the name of an enabled gate other than unreached and share"],
    placeholder: "gate",
    examples: [{ successRate: { atLeast: 99.9 } }],
  }),
};

const query = z.strictObject({
  name: key(label("checkout-errors"), {
    description: "Name of the gate.",
    rules: ["must be different in each query"],
    examples: ["checkout-errors"],
  }),
  bad: key(filled("sum(increase(errors_total[{{window}}]))"), {
    description:
      "PromQL that counts the bad events of one version since `{{window}}` ago. These are filled in: `{{service}}`, `{{namespace}}`, `{{version}}`, `{{cluster}}` and `{{window}}`. No result, or NaN, holds the phase: where a counter first appears with its first event, add `or vector(0)`.",
    examples: [
      'sum(increase(checkout_errors_total{namespace="{{namespace}}",version="{{version}}"}[{{window}}])) or vector(0)',
    ],
  }),
  all: key(filled("sum(increase(requests_total[{{window}}]))"), {
    description: "PromQL that counts all events which may be bad, in the same way.",
    examples: [
      'sum(increase(checkout_total{namespace="{{namespace}}",version="{{version}}"}[{{window}}]))',
    ],
  }),
  ...limits,
});

const PLACEHOLDERS = ["service", "namespace", "version", "cluster", "since", "until", "window"];

/** The names in the placeholders of a URL. */
const namesIn = (url: string) => [...url.matchAll(/\{\{(.*?)\}\}/g)].map(([, name = ""]) => name);

const endpointUrl = [
  {
    holds: (url: string) => {
      const filled = url.replaceAll(/\{\{.*?\}\}/g, "x");
      return URL.canParse(filled) && /^https?:$/.test(new URL(filled).protocol);
    },
    error: "must be an http or https URL",
    fix: "For example: https://shop.example.com/counts?version={{version}}&since={{since}}.",
  },
  {
    holds: (url: string) => namesIn(url).every((name) => PLACEHOLDERS.includes(name)),
    error: `must have no other placeholders than ${PLACEHOLDERS.join(", ")}`,
    fix: "Write them in two pairs of braces: {{version}}.",
  },
  {
    holds: (url: string) => {
      const names = namesIn(url);
      return names.includes("version") && ["since", "window"].some((name) => names.includes(name));
    },
    error: "must ask for {{version}}, and for {{since}} or {{window}}",
    fix: "Without them the endpoint cannot know which events are wanted.",
  },
].reduce(
  (schema, { holds, error, fix }) => rule(schema, holds, error, fix),
  z.string().meta({ pattern: "^https?://" }),
);

const web = z.strictObject({
  name: key(label("checkout"), {
    description: "Name of the gate.",
    rules: ["must be different in each query and endpoint"],
    examples: ["checkout"],
  }),
  url: key(endpointUrl, {
    description:
      'URL of an endpoint that answers a GET with the JSON `{"bad": 1, "all": 100}`: the bad events of one version since `{{since}}`, and all that may be bad. These are filled in: `{{service}}`, `{{namespace}}`, `{{version}}`, `{{cluster}}`, `{{since}}` and `{{until}}` (times as 2026-01-31T12:00:00.000Z), and `{{window}}` (the time between them, as 600s).',
    secret: true,
    examples: [
      "https://shop.example.com/counts?version={{version}}&cluster={{cluster}}&since={{since}}&until={{until}}",
    ],
  }),
  headers: httpHeaders("HTTP headers to send with the request.", "Authorization"),
  timeout: key(duration("10s").default("10s"), {
    description: "Longest wait for the answer. No answer holds the phase.",
    examples: ["10s"],
  }),
  ...limits,
});

/** What a canary must meet in every cluster. */
export const gates = z.strictObject({
  successRate: key(z.strictObject(limits).prefault({}), {
    description:
      "Requests that are answered with a status other than 5xx, and a gRPC status other than UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. Requests whose client gave up before the answer count neither way.",
    examples: [{ atLeast: 99.5 }],
  }),
  latency: key(
    z
      .strictObject({
        within: key(
          rule(
            duration("500ms"),
            (value) => BUCKETS_MS.includes(durationMs(value)),
            `must be a bound of Istio's buckets: ${BUCKETS_MS.join(", ")} ms`,
            "For example: 500ms.",
          ).default("500ms"),
          {
            description:
              "Time in which a request must be answered. With `atLeast: 99` this is a bound for the 99th percentile.",
            examples: ["500ms"],
          },
        ),
        ...limits,
      })
      .prefault({}),
    { description: "Requests that are answered in time.", examples: [{ within: "250ms" }] },
  ),
  share: key(
    z
      .strictObject({
        tolerance: key(percent(5).default(5), {
          description:
            "Points by which the canary's share may differ from the weight. Testers' requests, which reach it at any weight, are part of it.",
          examples: [5],
        }),
      })
      .prefault({}),
    {
      description: "The canary's share of the requests, which must be its weight.",
      examples: [{ tolerance: 5 }],
    },
  ),
  queries: key(z.array(query).default([]), {
    description: "Gates of your own, from what each cluster's Prometheus counts.",
    examples: [
      [
        {
          name: "checkout-errors",
          bad: 'sum(increase(checkout_errors_total{version="{{version}}"}[{{window}}])) or vector(0)',
          all: 'sum(increase(checkout_total{version="{{version}}"}[{{window}}]))',
        },
      ],
    ],
  }),
  web: key(z.array(web).default([]), {
    description: "Gates of your own, from what HTTP endpoints count. They need no Prometheus.",
    examples: [
      [
        {
          name: "checkout",
          url: "https://shop.example.com/counts?version={{version}}&cluster={{cluster}}&since={{since}}&until={{until}}",
        },
      ],
    ],
  }),
  without: key(
    z
      .array(z.enum(BUILT_IN_GATES, { error: `must be one of ${BUILT_IN_GATES.join(", ")}` }))
      .default([]),
    {
      description: "Built-in gates that are switched off.",
      rules: [`each must be one of ${BUILT_IN_GATES.join(", ")}`],
      examples: [["share"]],
    },
  ),
  dryRun: key(z.array(filled("latency")).default([]), {
    description:
      "Gates, built-in ones and your own, that are measured and shown, but neither hold nor fail a phase: for trying out a new one.",
    rules: ["each must be the name of an enabled gate"],
    examples: [["latency"]],
  }),
  minSamples: key(whole(1, 1_000_000_000, "For example: 100.").default(100), {
    description: "Requests of the canary in each cluster and phase below which no gate decides.",
    examples: [100],
  }),
  pool: key(z.boolean().default(false), {
    description:
      "Whether a cluster with too few requests passes a gate with the requests of all clusters together, for services with little traffic. A cluster still fails by its own requests alone, then without `minSamples`. Clusters in `quarantine` are left out.",
    examples: [true],
  }),
  risk: key(
    rule(
      z.number().meta({ exclusiveMinimum: 0, maximum: 50 }),
      (value) => value > 0 && value <= 50,
      "must be a number above 0 and at most 50",
      "For example: 1.",
    ).default(1),
    {
      description:
        "Percent of all rollouts of a good canary in which any gate may be wrong, over all phases, clusters and looks together.",
      examples: [1],
    },
  ),
});

export type Gates = z.output<typeof gates>;
