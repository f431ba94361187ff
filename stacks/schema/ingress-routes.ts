import * as z from "zod";
import { domain, filled, key, pattern, rule, scalar, text } from "./values.ts";

const path = (example: string) =>
  rule(
    pattern(
      /^\/[^\s?#]*$/,
      "must be a path: it begins with / and has no query",
      `For example: ${example}.`,
    ),
    (value) => value !== "/",
    "must be a part of the paths",
    "For all paths that no other service of the host has, leave ingressPaths out.",
  );

/** What RE2 does not know: to look ahead or behind, and to refer back. */
const NOT_RE2 = /\(\?<?[=!]|\\[1-9]/;

function compiles(expression: string): boolean {
  try {
    return new RegExp(expression, "u").source !== "" && !NOT_RE2.test(expression);
  } catch {
    return false;
  }
}

const pathMatch = rule(
  z.strictObject({
    exact: key(path("/api").optional(), {
      description: "The path itself, without the query.",
      fallback: "none",
      examples: ["/api"],
    }),
    prefix: key(path("/api/").optional(), {
      description:
        "Beginning of the path, letter by letter: /api also matches /apiary, and /api/ does not match /api.",
      fallback: "none",
      examples: ["/api/"],
    }),
    regex: key(
      rule(
        pattern(/^\/./, "must begin with /", "For example: /v[0-9]+/orders."),
        compiles,
        "must be a regular expression as Envoy knows them (RE2), which does not look ahead or refer back",
        "For example: /v[0-9]+/orders.",
      ).optional(),
      {
        description: "A regular expression (RE2) that the whole path matches.",
        fallback: "none",
        examples: ["/v[0-9]+/orders"],
      },
    ),
  }),
  (match) => Object.values(match).filter((value) => value !== undefined).length === 1,
  "must have one of exact, prefix and regex",
  "For example: {prefix: /api/}.",
);

/** Paths of a host, in the words of Istio's StringMatch. */
export const paths = rule(
  z.array(pathMatch).meta({ minItems: 1 }),
  (matches) => matches.length > 0,
  "must list at least one",
  "For example: [{exact: /api}, {prefix: /api/}].",
);

/** How the gateway changes path and host of a request, in the words of Istio's HTTPRewrite. */
export const rewrite = rule(
  z.strictObject({
    uri: key(pattern(/^\/[^\s?#]*$/, "must be a path", "For example: /.").optional(), {
      description:
        "What replaces the part of the path that matched: the whole path for `exact` or `regex`, the prefix alone for `prefix`.",
      fallback: "the path stays",
      examples: ["/"],
    }),
    uriRegexRewrite: key(
      z
        .strictObject({
          match: key(
            rule(
              filled("^/api/v[0-9]+/(.*)$"),
              compiles,
              "must be a regular expression as Envoy knows them (RE2), which does not look ahead or refer back",
              "For example: ^/api/v[0-9]+/(.*)$.",
            ),
            {
              description: "A regular expression (RE2) for the part of the path that is replaced.",
              examples: ["^/api/v[0-9]+/(.*)$"],
            },
          ),
          rewrite: key(filled("/\\1"), {
            description: "What replaces it; \\1 is the first group.",
            examples: ["/\\1"],
          }),
        })
        .optional(),
      {
        description: "The same by a regular expression.",
        fallback: "none",
        examples: [{ match: "^/api/v[0-9]+/(.*)$", rewrite: "/\\1" }],
      },
    ),
    authority: key(domain("api.example.com").optional(), {
      description: "The host that the service sees.",
      fallback: "the one that the client has asked for",
      examples: ["api.example.com"],
    }),
  }),
  ({ uri, uriRegexRewrite, authority }) =>
    (uri === undefined) !== (uriRegexRewrite === undefined) ||
    (uri === undefined && authority !== undefined),
  "must have uri or uriRegexRewrite, or authority, or authority and one of the two",
  "For example: {uri: /}.",
);

const headerName = text(
  (name) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) && name !== "host",
  "must be a header name in lower case, other than host",
  "For example: x-forwarded-prefix. The host is rewrite.authority.",
  { pattern: "^(?!host$)[!#$%&'*+\\-.^_`|~0-9a-z]+$" },
);

const values = (description: string, examples: readonly unknown[]) =>
  key(
    z
      .record(
        headerName,
        scalar(
          text(
            (value) => /^[^\r\n]*$/.test(value),
            "must be one line",
            "Envoy's %…% is replaced by what it stands for; a percent sign is %%.",
          ),
        ),
      )
      .optional(),
    { description, fallback: "none", placeholder: "header", examples },
  );

const operations = (of: string, example: Readonly<Record<string, string>>) =>
  rule(
    z.strictObject({
      set: values(`Headers that ${of} gets, replacing any with the same name.`, [example]),
      add: values(`Headers that ${of} gets, in addition to any with the same name.`, [example]),
      remove: key(z.array(headerName).optional(), {
        description: `Headers that are removed from ${of}.`,
        fallback: "none",
        examples: [Object.keys(example)],
      }),
    }),
    ({ set, add, remove }) =>
      Object.keys(set ?? {}).length + Object.keys(add ?? {}).length + (remove ?? []).length > 0,
    "must have set, add or remove",
    `For example: {set: ${JSON.stringify(example)}}.`,
  ).optional();

/** What the gateway does to headers, in the words of Istio's Headers. */
export const headers = rule(
  z.strictObject({
    request: key(operations("a request", { "x-forwarded-prefix": "/api" }), {
      description: "Changes to requests, before the service gets them.",
      fallback: "none",
      examples: [{ set: { "x-forwarded-prefix": "/api" } }],
    }),
    response: key(operations("a response", { "x-frame-options": "DENY" }), {
      description: "Changes to responses, before the client gets them.",
      fallback: "none",
      examples: [{ set: { "x-frame-options": "DENY" }, remove: ["server"] }],
    }),
  }),
  ({ request, response }) => request !== undefined || response !== undefined,
  "must have request or response",
  "For example: {response: {set: {x-frame-options: DENY}}}.",
);

/** A Gateway object of others, the same in every cluster. */
export const gatewayName = text(
  (name) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name),
  "must be NAMESPACE/NAME of a Gateway",
  "For example: istio-ingress/internal.",
  { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" },
);
