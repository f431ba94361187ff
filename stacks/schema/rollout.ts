import * as z from "zod";
import { gates, gatesInPhase } from "./gates.ts";
import { httpHeaders, httpUrl } from "./http.ts";
import { duration, key, label, text, whole } from "./values.ts";

/** When a webhook is called. */
const WEBHOOK_TIMES = ["before", "during", "confirm"] as const;

const FORMATS = ["slack", "teams", "alertmanager", "webhook"] as const;

const url = httpUrl("https://ci.example.com/release");

const webhook = z.strictObject({
  name: key(label("smoke-test"), {
    description: "Name of the webhook in events and messages.",
    rules: ["must be different in each webhook"],
    examples: ["smoke-test"],
  }),
  when: key(z.enum(WEBHOOK_TIMES, { error: `must be one of ${WEBHOOK_TIMES.join(", ")}` }), {
    description:
      "When it is asked. before: once before the first phase, and a no ends the rollout. during: at every look, and a no is a failed look. confirm: before each rise of the weight, which waits for a yes.",
    rules: [`must be one of ${WEBHOOK_TIMES.join(", ")}`],
    examples: ["confirm"],
  }),
  url: key(url, {
    description: "URL that gets a POST with JSON about the rollout. Any 2xx answer is a yes.",
    secret: true,
    examples: ["https://ci.example.com/release"],
  }),
  timeout: key(duration("10s").default("10s"), {
    description:
      "Longest wait for the answer. No answer counts as no data before and during, and as a no in confirm.",
    examples: ["10s"],
  }),
});

/** Somebody who is notified of a rollout. */
export const notification = z.strictObject({
  url: key(url, {
    description: "URL of the incoming webhook, or of the Alertmanager.",
    secret: true,
    examples: ["https://hooks.slack.com/services/…"],
  }),
  format: key(z.enum(FORMATS, { error: `must be one of ${FORMATS.join(", ")}` }).default("slack"), {
    description:
      "What it receives. slack, teams: a message for each phase, for a wait that needs somebody, for a raise that fails, and for each end. webhook: the same messages, each as JSON with the event's own fields beside it. alertmanager: an alert when a release is rolled back.",
    rules: [`must be one of ${FORMATS.join(", ")}`],
    examples: ["slack"],
  }),
  headers: httpHeaders("HTTP headers to send with it.", "Authorization"),
  hmacKey: key(
    text(
      (value) => value.length > 0,
      "must not be empty",
      "Leave it out for no signature.",
    ).optional(),
    {
      description:
        "Key with which the body is signed: header `X-Signature-256`, `sha256=` and the HMAC in hexadecimal digits. It tells the receiver who sent the message.",
      fallback: "no signature",
      secret: true,
      examples: [{ secure: "v1:..." }],
    },
  ),
});

/** What differs in one phase. */
const phase = z.strictObject({
  weight: key(whole(1, 100, "For example: 100."), {
    description: "The phase's weight.",
    rules: ["must be one of `phases`", "must be different in each entry"],
    examples: [100],
  }),
  bake: key(duration("1h").optional(), {
    description: "Minimum duration of this phase.",
    fallback: "`rollout.bake`",
    examples: ["1h"],
  }),
  approval: key(z.boolean().optional(), {
    description:
      "Whether the rollout waits for somebody's `release promote` before it raises to this weight.",
    fallback: "whether `rollout.approval` lists it",
    examples: [true],
  }),
  ...gatesInPhase,
});

/** What differs in single phases. */
export const at = z.array(phase);

/** How `release rollout` goes through the phases, and by what a guard judges. Nothing else in the program uses it. */
export const rollout = z.strictObject({
  bake: key(duration("10m").default("10m"), {
    description: "Minimum duration of each phase, 100 % included, in which its gates are watched.",
    examples: ["10m"],
  }),
  at: key(at.default([]), {
    description: "What differs in single phases.",
    examples: [
      [
        { weight: 10, bake: "30m" },
        { weight: 100, approval: true, precision: 1 },
      ],
    ],
  }),
  trial: key(duration("10m").optional(), {
    description:
      "Time at weight 0 before the first phase, in which the gates judge the requests that reach the canary by `matches` (testers) and `mirrorPercent`.",
    fallback: "no trial",
    examples: ["10m"],
  }),
  interval: key(duration("30s").default("30s"), {
    description: "Time from one look at all gates in all clusters to the next.",
    examples: ["30s"],
  }),
  settle: key(duration("30s").default("30s"), {
    description:
      "Time after a change of the weight before requests are counted. Use at least two of Prometheus' scrape intervals, or requests at the old weight are counted too.",
    examples: ["30s"],
  }),
  maxFailures: key(
    z
      .strictObject({
        consecutive: key(whole(0, 1000, "For example: 1.").default(0), {
          description: "Looks in a row that may fail in a phase.",
          examples: [1],
        }),
        total: key(whole(0, 1000, "For example: 3.").default(0), {
          description: "Looks that may fail in a phase.",
          examples: [3],
        }),
      })
      .prefault({}),
    {
      description:
        "Failed looks that do not yet roll the release back. A look fails if any gate fails in any cluster.",
      examples: [{ consecutive: 1, total: 3 }],
    },
  ),
  noDataLimit: key(duration("30m").default("30m"), {
    description:
      "How long a phase may be held because a Prometheus does not answer, or because there are too few requests after the bake time, before the release is rolled back.",
    examples: ["30m"],
  }),
  unreachableLimit: key(duration("5m").default("5m"), {
    description:
      "How long a cluster's API server may be unreachable before the release is rolled back in all others. Until then the phase is held, and the gates go on: a bad canary is rolled back at once.",
    examples: ["5m"],
  }),
  approval: key(z.array(whole(1, 100, "For example: [100].")).default([]), {
    description:
      "Weights that the rollout does not raise to by itself: it waits until somebody runs `release promote`.",
    rules: ["each must be one of `phases`"],
    examples: [[100]],
  }),
  gates: key(gates.prefault({}), {
    description:
      "Conditions that the canary must meet in every cluster, measured by each cluster's own Prometheus.",
    examples: [{ successRate: { atLeast: 99.5 } }],
  }),
  webhooks: key(z.array(webhook).default([]), {
    description: "Programs of yours that may stop or hold a rollout.",
    examples: [[{ name: "smoke-test", when: "before", url: "https://ci.example.com/release" }]],
  }),
  notifications: key(z.array(notification).default([]), {
    description:
      "Who is notified of each phase, of waits that need somebody, and of the end. A message that gets no answer is sent again, up to four times with growing pauses; the rollout does not wait for it. Guards notify them, too, of what they do.",
    examples: [[{ url: "https://hooks.slack.com/services/…" }]],
  }),
});

export type Rollout = z.output<typeof rollout>;
