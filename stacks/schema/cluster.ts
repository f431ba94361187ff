import { isIP } from "node:net";
import * as z from "zod";
import { GATEWAY_PORTS, isDnsName } from "../../lib/names.ts";
import { valuesInOne } from "./helm-values.ts";
import { domain, filled, key, label, rule, text, whole } from "./values.ts";

/** Whether DNS can have it: a mistyped IP address, which no top-level domain is like, is none. */
function isHostName(name: string): boolean {
  return isDnsName(name) && /\.[^.]*[a-z][^.]*$/.test(name);
}

/** One cluster of the mesh. */
export const cluster = z.strictObject({
  name: key(label("cluster-a"), {
    routing: "all",
    description:
      "Name of the cluster in the mesh and in hosts such as `user-service.user.NAME.mesh`.",
    rules: [
      "must be different in each cluster",
      "must be what istiod calls the cluster if `mesh.istio` is existing",
    ],
    effect: "Makes it a new cluster: everything of the mesh in it is recreated. Do not change it.",
    examples: ["cluster-a"],
  }),
  network: key(label("network-a").optional(), {
    routing: "none",
    description: "The cluster's network. Other networks reach it through its east-west gateway.",
    fallback:
      "none, it must be given unless `mesh.istio` is existing: then it is read from the cluster",
    rules: [
      "must be different in each cluster; the same in all with `mesh.oneNetwork`",
      "must be the cluster's own if `mesh.istio` is existing",
    ],
    effect:
      "Upgrades istiod and the east-west gateway; sidecars take the network when their pods are next recreated: restart the services' Deployments.",
    examples: ["network-a"],
  }),
  context: key(filled("prod-a"), {
    routing: "none",
    description: "Context of the kubeconfig with which Pulumi reaches the cluster.",
    rules: [
      "must be a context of the kubeconfig",
      "must be a context, and lead to an API server, that no other cluster has",
    ],
    effect: "A context of another name for the same cluster changes nothing in it.",
    examples: ["prod-a"],
  }),
  kubeconfig: key(filled("/home/me/prod-b.yaml").optional(), {
    routing: "none",
    description: "Path of the kubeconfig file with this cluster's context.",
    fallback: "the file of the top-level `kubeconfig`",
    rules: ["must be a path: content goes, encrypted, into the top-level `kubeconfig`"],
    effect: "A file that leads to the same cluster changes nothing in it.",
    examples: ["/home/me/prod-b.yaml"],
  }),
  apiServer: key(
    text(
      (url) => URL.canParse(url) && new URL(url).protocol === "https:",
      "must be an https URL",
      "For example: https://10.0.0.1:6443.",
      { pattern: "^https://" },
    ).optional(),
    {
      routing: "none",
      description:
        "URL at which the other clusters reach this cluster's API server; their istiod reads endpoints there.",
      fallback: "the URL in the kubeconfig",
      rules: ["must not be an address of the machine itself, such as localhost"],
      effect: "Updates the remote secrets in the other clusters; their istiod reconnects.",
      examples: ["https://10.0.0.1:6443"],
    },
  ),
  apiServerAuthority: key(
    z.enum(["cluster", "system"], { error: "must be cluster or system" }).optional(),
    {
      routing: "none",
      description:
        "Who has signed the certificate at `apiServer`. cluster: the cluster's own authority, which it tells its ServiceAccounts (`ca.crt` of their tokens' Secrets). system: one that systems trust anyway, as behind a public name.",
      fallback:
        "what the kubeconfig says of its own URL, and the cluster's own authority beside it; if the kubeconfig says nothing, as system",
      rules: ["must be left out unless `apiServer` is given"],
      effect: "Updates the remote secrets in the other clusters; their istiod reconnects.",
      examples: ["cluster"],
    },
  ),
  tlsServerName: key(domain("kubernetes.default.svc").optional(), {
    routing: "none",
    description:
      "Name that the certificate at `apiServer` has, where it does not have the host of that URL (`tls-server-name` in a kubeconfig). Certificates of API servers have `kubernetes.default.svc`.",
    fallback: "the host of `apiServer`",
    rules: ["must be left out unless `apiServer` is given"],
    effect: "Updates the remote secrets in the other clusters; their istiod reconnects.",
    examples: ["kubernetes.default.svc"],
  }),
  eastWestAddresses: key(
    rule(
      z
        .array(
          text(
            (address) => isIP(address) !== 0 || isHostName(address),
            "must be an IP address, or a host name in lower case with its domain",
            "For example: 203.0.113.7.",
          ),
        )
        .meta({ minItems: 1 }),
      (list) => list.length > 0,
      "must list an address",
      "Leave it out to use the addresses of the gateway's load balancer.",
    ).optional(),
    {
      routing: "none",
      description:
        "IP addresses or host names at which the other clusters reach the cluster's east-west gateway, where its load balancer does not know them: static addresses of a cloud, a name in DNS of your own, an address behind NAT. Host names are resolved by the proxies, again and again.",
      fallback: "the addresses of the gateway's load balancer",
      effect: "Updates the ServiceEntries in the other clusters, whose proxies follow at once.",
      examples: [["203.0.113.7"]],
    },
  ),
  eastWestPort: key(
    rule(
      whole(1, 65_535, "For example: 443."),
      (port) => !GATEWAY_PORTS.includes(port),
      `must not be ${GATEWAY_PORTS.join(", ")}, which the gateway has for something else`,
      "For example: 443.",
    ).optional(),
    {
      routing: "none",
      description:
        "Port at which the other clusters reach the cluster's east-west gateway, where a firewall lets no other through. The gateway's Service has it in place of 15443, and says so by the label `networking.istio.io/gatewayPort`, from which each istiod knows it. Its pods listen on 15443 as ever.",
      fallback: "15443; if `mesh.istio` is existing, what the label of the gateway's Service says",
      rules: ["must be left out with `mesh.oneNetwork`"],
      effect:
        "Replaces the gateway's pods one after the other, and updates the ServiceEntries in the other clusters. Requests to the cluster from others fail from when the Service has the port until they know it; docs/clouds says how to change it without that.",
      examples: [443],
    },
  ),
  values: key(
    z
      .strictObject({
        istiod: valuesInOne("istiod", "istiod", "mesh.values.istiod", [
          { pilot: { cni: { enabled: true } } },
        ]),
        eastWest: valuesInOne(
          "gateway",
          "the east-west gateway",
          "mesh.values.gateway` and `mesh.values.eastWest",
          [{ service: { loadBalancerIP: "10.0.0.7" } }],
        ),
        ingress: valuesInOne(
          "gateway",
          "the ingress gateway",
          "mesh.values.gateway` and `mesh.values.ingress",
          [{ service: { loadBalancerSourceRanges: ["198.51.100.0/24"] } }],
          ["must be left out unless `ingress` is given"],
        ),
      })
      .optional(),
    {
      routing: "none",
      description:
        "Helm values in which this cluster differs: internal load balancers, static addresses, source ranges, annotations of its cloud.",
      fallback: "those of `mesh.values` alone",
      rules: ["must be left out if `mesh.istio` is existing"],
      examples: [
        {
          eastWest: {
            service: {
              annotations: { "service.beta.kubernetes.io/azure-load-balancer-internal": "true" },
            },
          },
        },
      ],
    },
  ),
  prometheus: key(
    text(
      (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
      "must be an http or https URL",
      "For example: https://prometheus.prod-a.example.com.",
      { pattern: "^https?://" },
    ).optional(),
    {
      routing: "none",
      description:
        "URL of the Prometheus with this cluster's metrics, as seen from where `release` runs. Credentials for it go into the top-level key `prometheus`.",
      fallback: "the Prometheus of `monitoring`, through the API server",
      effect: "Nothing in a cluster: it says where metrics are read.",
      examples: ["https://prometheus.prod-a.example.com"],
    },
  ),
});

export type Cluster = z.output<typeof cluster>;
