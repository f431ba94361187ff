import * as z from "zod";
import { duration, filled, key, rule } from "./values.ts";

const names = (description: string, example: string) =>
  key(z.array(filled(example)).optional(), {
    description,
    fallback: "none",
    examples: [[example]],
  });

const origin = rule(
  z.strictObject({
    exact: key(filled("https://shop.example.com").optional(), {
      description: "The origin itself; * for any.",
      fallback: "none",
      examples: ["https://shop.example.com"],
    }),
    prefix: key(filled("https://").optional(), {
      description: "How it begins.",
      fallback: "none",
      examples: ["https://shop-"],
    }),
    regex: key(filled("https://.*\\.example\\.com").optional(), {
      description: "A regular expression (RE2) that it matches as a whole.",
      fallback: "none",
      examples: ["https://.*\\.example\\.com"],
    }),
  }),
  (match) => Object.values(match).filter((value) => value !== undefined).length === 1,
  "must have one of exact, prefix and regex",
  "For example: {exact: https://shop.example.com}.",
);

/** Which web pages of other origins may call a service, in the words of Istio's CorsPolicy. */
export const corsPolicy = rule(
  z.strictObject({
    allowOrigins: key(
      rule(
        z.array(origin).meta({ minItems: 1 }),
        (origins) => origins.length > 0,
        "must list at least one",
        "For example: [{exact: https://shop.example.com}].",
      ),
      {
        description: "Origins whose pages may call the service.",
        examples: [[{ exact: "https://shop.example.com" }]],
      },
    ),
    allowMethods: names("Methods that they may use.", "POST"),
    allowHeaders: names("Headers that they may send.", "x-canary"),
    exposeHeaders: names("Headers of an answer that they may read.", "x-version"),
    maxAge: key(duration("24h").optional(), {
      description: "How long a browser remembers that it may.",
      fallback: "the browser's default",
      examples: ["24h"],
    }),
    allowCredentials: key(z.boolean().optional(), {
      description: "Whether their requests may carry cookies.",
      fallback: "false",
      examples: [true],
    }),
  }),
  ({ allowOrigins, allowCredentials }) =>
    allowCredentials !== true || allowOrigins.every(({ exact }) => exact !== "*"),
  "must not have allowCredentials for any origin: browsers refuse it",
  "Name the origins.",
);
