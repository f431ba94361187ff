import * as z from "zod";
import { GATEWAY_STATUS_PORT } from "../../lib/names.ts";
import { domain, key, label, pattern, rule, whole } from "./values.ts";

const tls = z.strictObject({
  credentialName: key(label("user-example-com"), {
    description:
      "Secret of type kubernetes.io/tls in the namespace istio-ingress of every cluster, made by the program if `certificate` and `key` are given.",
    effect: "The gateways take the certificate of the other Secret at once.",
    examples: ["user-example-com"],
  }),
  certificate: key(z.string().optional(), {
    description: "Certificate for the hosts, PEM, with its chain.",
    fallback: "the Secret is created elsewhere, for example by cert-manager",
    rules: ["must be given together with `key`", "must be valid now"],
    effect: "Updates the Secret; the gateways take it at once.",
    secret: true,
    examples: ["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"],
  }),
  key: key(z.string().optional(), {
    description:
      "Private key of the certificate, PEM without passphrase. Set it with `pulumi config set --path --secret`.",
    fallback: "the Secret is created elsewhere",
    rules: ["must be given together with `certificate`", "must belong to it"],
    effect: "Updates the Secret; the gateways take it at once.",
    secret: true,
    examples: [{ secure: "v1:…" }],
  }),
  httpsRedirect: key(z.boolean().default(false), {
    description: "Whether plain HTTP is redirected to HTTPS.",
    effect: "In force in every cluster at once; nothing restarts.",
    examples: [true],
  }),
});

const port = (of: "HTTP" | "HTTPS", usual: number, example: number) =>
  key(
    rule(
      whole(1, 65_535, `For example: ${example}.`),
      (number) => number !== GATEWAY_STATUS_PORT,
      `must not be ${GATEWAY_STATUS_PORT}, which the gateway has for its health`,
      `For example: ${example}.`,
    ).optional(),
    { description: `Port for ${of}.`, fallback: String(usual), examples: [example] },
  );

const ports = rule(
  z.strictObject({ http: port("HTTP", 80, 8080), https: port("HTTPS", 443, 8443) }),
  ({ http = 80, https = 443 }) => http !== https,
  "must be two different ports",
  "Change one of them.",
);

/** The gateways for clients outside the mesh. */
export const ingress = z
  .strictObject({
    gateway: key(
      pattern(
        /^[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
        "must be a Gateway object as NAMESPACE/NAME",
        "For example: istio-ingress/public.",
      ).optional(),
      {
        description:
          "With `mesh.istio: existing`: the Gateway object (networking.istio.io) of others that takes requests for the `ingressHosts` of services, the same in every cluster.",
        fallback: "none, clients outside reach no service",
        rules: [
          "must be left out unless `mesh.istio` is existing",
          "must be there in every cluster, and select pods that run",
          "must take requests for the `ingressHosts` of all services",
        ],
        effect: "Updates the VirtualServices of services with `ingressHosts`.",
        examples: ["istio-ingress/public"],
      },
    ),
    hosts: key(
      rule(
        z.array(domain("user.example.com")).meta({ minItems: 1, uniqueItems: true }),
        (hosts) => hosts.length > 0 && new Set(hosts).size === hosts.length,
        "must list at least one host, each once",
        "For example: [user.example.com].",
      ).optional(),
      {
        description:
          "Domain names that the gateways answer for; all others get 403. DNS leads them to the gateways of all clusters.",
        fallback:
          "none, they must be given unless `mesh.istio` is existing: then they are those of its Gateway",
        rules: [
          "must be left out if `mesh.istio` is existing",
          "each host must lead to a service, or to several that share it by `ingressPaths`; if every service of this stack has `ingressHosts`, other hosts may be left to other stacks",
        ],
        effect: "In force in every cluster at once; nothing restarts.",
        examples: [["user.example.com"]],
      },
    ),
    tls: key(tls.optional(), {
      description: "HTTPS, in addition to HTTP; on port 443, unless `ports` says another one.",
      fallback: "HTTP only",
      rules: ["must be left out if `mesh.istio` is existing"],
      effect: "In force in every cluster at once; nothing restarts.",
      examples: [{ credentialName: "user-example-com", httpsRedirect: true }],
    }),
    ports: key(ports.optional(), {
      description:
        "Ports of the gateways' Services, where clients reach them at others than the usual ones.",
      fallback: "80 for HTTP and 443 for HTTPS",
      rules: [
        "must be left out if `mesh.istio` is existing",
        "must be the usual ones with `tls.httpsRedirect`",
      ],
      effect:
        "Clients reach the gateways in every cluster at the new ports alone, from when the Services have them.",
      examples: [{ http: 8080, https: 8443 }],
    }),
  })
  .meta({ anyOf: [{ required: ["hosts"] }, { required: ["gateway"] }] });

export type Ingress = z.output<typeof ingress>;
