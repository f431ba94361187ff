import * as z from "zod";
import { BAGGAGE } from "../../lib/mark.ts";
import { filled, key, pattern, rule, scalar, text, whole } from "./values.ts";

const ROUTES = "Updates the routes of all services in every cluster; nothing restarts.";
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9a-z]+";
/** Headers that mean something to HTTP or to the mesh. */
const TAKEN = [BAGGAGE, "cookie", "host", "connection", "te", "upgrade", "traceparent"];

const headerName = text(
  (name) => new RegExp(`^${TOKEN}$`).test(name) && !TAKEN.includes(name),
  `must be a header name in lower case, other than ${TAKEN.join(", ")}`,
  "For example: x-istio-canary.",
  { pattern: `^(?!(${TAKEN.join("|")})$)${TOKEN}$` },
);

const mark = z.strictObject({
  header: key(headerName.default("x-istio-canary"), {
    description:
      "Name of the header that marks a request which an entry has sent to a canary. Its value is `canary`. Every service must propagate it to the requests that it makes in turn.",
    rules: ["must not be a header that a service's `matches` name"],
    effect: ROUTES,
    examples: ["x-istio-canary"],
  }),
  baggage: key(
    pattern(
      new RegExp(`^${TOKEN.replace("a-z", "a-zA-Z")}$`),
      "must be the name of a member of the header baggage",
      "For example: istio-canary.",
    ).optional(),
    {
      description:
        "Name of the member of the W3C header `baggage` that carries the mark too, for services that propagate their baggage (OpenTelemetry) but not this header.",
      fallback: "none, the header alone carries it",
      effect: ROUTES,
      examples: ["istio-canary"],
    },
  ),
  testers: key(z.array(filled("alice")).default([]), {
    description:
      "Values of the header by which somebody outside asks for the canary, at any weight. A header with another value has no effect and is removed, as is a member of `baggage` that comes from outside.",
    rules: ["must not be `canary`, which is easy to guess"],
    effect: ROUTES,
    examples: [["alice"]],
  }),
});

const probe = z.strictObject({
  path: key(pattern(/^\/\S*$/, "must be a path", "For example: /.").default("/"), {
    description:
      "Path of the preflight's requests. The entries' canaries get them as GET and must answer 200; to do so, they and the services that they call must need every follower that has a canary.",
    examples: ["/checkout/preflight"],
  }),
  requests: key(whole(1, 100, "For example: 5.").default(5), {
    description: "Requests of the preflight to each entry's canary in each cluster.",
    examples: [5],
  }),
  headers: key(
    z
      .record(
        text(
          (name) => new RegExp(`^${TOKEN}$`).test(name),
          "must be a header name in lower case",
          "For example: x-tenant.",
          { pattern: `^${TOKEN}$` },
        ),
        scalar(filled("preflight")),
      )
      .default({}),
    {
      description:
        "Headers of these requests, in addition to the mark. Not for secrets: they are kept in plain text.",
      placeholder: "header",
      examples: [{ "x-tenant": "preflight" }],
    },
  ),
  without: key(z.array(filled("web/mail")).default([]), {
    description:
      "Followers, as `namespace/name`, that no GET request can reach, so the preflight does not expect a probe there.",
    rules: ["each must be one of `services`, and no entry"],
    examples: [["web/mail"]],
  }),
});

/** How a release spans several services. */
export const chain = z.strictObject({
  entries: key(
    rule(
      z.array(filled("web/front")).meta({ minItems: 1 }),
      (entries) => entries.length > 0,
      "must name a service",
      "For example: [web/front].",
    ),
    {
      routing: "all",
      description:
        "The services, as `namespace/name`, that decide which version a request gets, and mark it. All other services of the stack follow the mark: they have no weight of their own.",
      rules: [
        "each must be one of `services`, once",
        "one must have a canary while any service has one",
        "only these may have `matches` and `ingressHosts`; no service may have `mirrorPercent`",
      ],
      effect: `${ROUTES} Refused while requests are marked.`,
      examples: [["web/front"]],
    },
  ),
  mark: key(mark.prefault({}), {
    routing: "all",
    description: "How a request is marked.",
    effect: ROUTES,
    examples: [{ header: "x-istio-canary", baggage: "istio-canary" }],
  }),
  probe: key(probe.prefault({}), {
    routing: "none",
    description:
      "The preflight before each higher weight: marked requests, after which the proxies' counters tell whether every service has propagated the mark.",
    effect: "In force from the next change of weights on.",
    examples: [{ path: "/checkout/preflight" }],
  }),
});

export type Chain = z.output<typeof chain>;
