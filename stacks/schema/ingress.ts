import * as z from "zod";
import { domain, key, label, pattern, rule } from "./values.ts";

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
      description: "HTTPS on port 443, in addition to HTTP on port 80.",
      fallback: "HTTP only",
      rules: ["must be left out if `mesh.istio` is existing"],
      effect: "In force in every cluster at once; nothing restarts.",
      examples: [{ credentialName: "user-example-com", httpsRedirect: true }],
    }),
  })
  .meta({ anyOf: [{ required: ["hosts"] }, { required: ["gateway"] }] });

export type Ingress = z.output<typeof ingress>;
