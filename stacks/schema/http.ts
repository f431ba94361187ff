import * as z from "zod";
import { key, text } from "./values.ts";

/** An http or https URL. */
export const httpUrl = (example: string) =>
  text(
    (value) => URL.canParse(value) && ["http:", "https:"].includes(new URL(value).protocol),
    "must be an http or https URL",
    `For example: ${example}.`,
    { pattern: "^https?://" },
  );

/** Values of a header that tell who asks. */
export const headerValue = text(
  (value) => /^[\t\x20-\x7e]+$/.test(value),
  "must be the value of an HTTP header",
  "Write printable ASCII, on one line.",
);

/** HTTP headers, whose values may be secret. */
export const httpHeaders = (description: string, name: string) =>
  key(
    z
      .record(
        text(
          (value) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value),
          "must be the name of an HTTP header",
          `For example: ${name}.`,
        ),
        key(headerValue, {
          description: "The header's value.",
          secret: true,
          examples: [{ secure: "v1:..." }],
        }),
      )
      .default({}),
    {
      description,
      fallback: "none of its own",
      placeholder: "header",
      examples: [{ [name]: { secure: "v1:..." } }],
    },
  );
