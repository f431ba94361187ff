import * as z from "zod";
import { headerValue, httpHeaders, httpUrl } from "./http.ts";
import { filled, key, label, rule, text, whole } from "./values.ts";

const SECURE = { secure: "v1:..." };

const pem = text(
  (value) => value.includes("-----BEGIN "),
  "must be PEM",
  "It begins with -----BEGIN.",
);

const service = z.strictObject({
  namespace: key(label("monitoring"), {
    description: "The Service's namespace.",
    examples: ["monitoring"],
  }),
  name: key(label("prometheus-operated"), {
    description: "The Service's name.",
    examples: ["prometheus-operated"],
  }),
  port: key(whole(1, 65_535, "For example: 9090."), {
    description: "The Service's port, which must speak HTTP without TLS.",
    examples: [9090],
  }),
  path: key(
    text(
      (value) => /^(?:\/[\w.~-]+)*\/?$/.test(value),
      "must be a path",
      "For example: /prometheus.",
    ).default(""),
    {
      description: "Path before `/api/v1`, such as Mimir's `/prometheus`.",
      fallback: "none",
      examples: ["/prometheus"],
    },
  ),
});

const basicAuth = z.strictObject({
  username: key(
    text(
      (value) => value !== "" && !value.includes(":"),
      "must be text without a colon",
      "For example: release.",
    ),
    { description: "The user's name.", secret: true, examples: ["release"] },
  ),
  password: key(filled("the user's password"), {
    description: "The user's password. Set it with `pulumi config set --path --secret`.",
    secret: true,
    examples: [SECURE],
  }),
});

const tls = z.strictObject({
  ca: key(pem.optional(), {
    description: "Certificate authorities that the server's certificate is checked against, PEM.",
    fallback: "those that Node.js trusts",
    secret: true,
    examples: ["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"],
  }),
  certificate: key(pem.optional(), {
    description: "The client's certificate, followed by any intermediates, PEM.",
    fallback: "none",
    rules: ["must be given together with `key`"],
    secret: true,
    examples: ["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"],
  }),
  key: key(pem.optional(), {
    description:
      "The client's private key, PEM without passphrase. Set it with `pulumi config set --path --secret`.",
    fallback: "none",
    rules: ["must be given together with `certificate`"],
    secret: true,
    examples: ["-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n"],
  }),
});

/** How one cluster's Prometheus is reached. */
const access = z.strictObject({
  url: key(httpUrl("https://mimir.example.com/prometheus").optional(), {
    description:
      "URL of the Prometheus, as seen from where `release` runs, with the path before `/api/v1`.",
    fallback: "`clusters[].prometheus`",
    rules: ["must not be given together with `service`"],
    secret: true,
    examples: ["https://mimir.example.com/prometheus"],
  }),
  service: key(service.optional(), {
    description:
      "A Service in the cluster, one of whose ready pods is asked through the API server's port-forward.",
    fallback: "none",
    rules: ["must not be given together with `url`"],
    examples: [{ namespace: "monitoring", name: "prometheus-operated", port: 9090 }],
  }),
  bearerToken: key(headerValue.optional(), {
    description: "Token to send. Set it with `pulumi config set --path --secret`.",
    fallback: "none",
    rules: ["must be the only one of `bearerToken`, `basicAuth` and `tokenCommand`"],
    secret: true,
    examples: [SECURE],
  }),
  basicAuth: key(basicAuth.optional(), {
    description: "User name and password to send.",
    fallback: "none",
    rules: ["must be the only one of `bearerToken`, `basicAuth` and `tokenCommand`"],
    examples: [{ username: "release", password: SECURE }],
  }),
  tokenCommand: key(
    rule(
      z.array(filled("gcloud")).meta({ minItems: 1 }),
      (list) => list.length > 0,
      "must list a program",
      "For example: [gcloud, auth, print-access-token].",
    ).optional(),
    {
      description:
        "Program with its arguments that prints the token to send. It runs without a shell, has 10 seconds, and is run again after 5 minutes, or when the token is refused.",
      fallback: "none",
      rules: ["must be the only one of `bearerToken`, `basicAuth` and `tokenCommand`"],
      examples: [["gcloud", "auth", "print-access-token"]],
    },
  ),
  headers: httpHeaders(
    "HTTP headers to send with each request, such as the tenant.",
    "X-Scope-OrgID",
  ),
  tls: key(tls.prefault({}), {
    description: "TLS, where the URL is https.",
    rules: ["must be given with an https URL only"],
    examples: [{ ca: "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n" }],
  }),
});

/** How each cluster's Prometheus is reached, by the cluster's name. */
export const prometheus = z.record(z.string(), access);

export type PrometheusAccess = z.output<typeof access>;
