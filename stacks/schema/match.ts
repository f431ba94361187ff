import * as z from "zod";
import { filled, key, pattern, rule, scalar, text } from "./values.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Requests that reach the canary at any weight. */
export const match = rule(
  z
    .strictObject({
      header: key(
        z
          .record(
            text(
              (name) => TOKEN.test(name) && name !== "cookie",
              "must be a header name in lower case, other than cookie",
              "For example: x-canary. Cookies go under the key cookie.",
              { pattern: `^(?!cookie$)${TOKEN.source.slice(1)}` },
            ),
            scalar(filled('"true"')),
          )
          .optional(),
        {
          description: "Headers, by name in lower case, and the exact value of each.",
          fallback: "none",
          placeholder: "header",
          examples: [{ "x-canary": "true" }],
        },
      ),
      cookie: key(
        rule(
          z
            .record(
              pattern(
                /^[!#$%&'*+\-.^_`|~\w]+$/,
                "must be the name of a cookie",
                "For example: canary.",
              ),
              scalar(
                pattern(
                  /^[^\s;,"\\]+$/,
                  "must be the value of a cookie: no blanks, quotes, commas, semicolons or backslashes",
                  "For example: always.",
                ),
              ),
            )
            .meta({ minProperties: 1, maxProperties: 1 }),
          (cookies) => Object.keys(cookies).length === 1,
          "must be one cookie",
          "Write a separate match for each cookie; one match is enough.",
        ).optional(),
        {
          description: "One cookie, by name, and its exact value.",
          fallback: "none",
          placeholder: "cookie",
          examples: [{ canary: "always" }],
        },
      ),
    })
    .meta({ minProperties: 1 }),
  ({ header, cookie }) => Object.keys(header ?? {}).length + Object.keys(cookie ?? {}).length > 0,
  "must name a header or a cookie",
  'For example: {header: {x-canary: "true"}}.',
);
