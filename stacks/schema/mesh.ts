import * as z from "zod";
import { gatewayValuesEverywhere, helmValues, valuesEverywhere } from "./helm-values.ts";
import { IP_FAMILIES } from "../../lib/names.ts";
import { isRegistry } from "../../lib/helm-values.ts";
import { istioVersion, upgradeKeys } from "./revisions.ts";
import {
  domain,
  duration,
  filled,
  key,
  label,
  pattern,
  rule,
  scalar,
  text,
  whole,
} from "./values.ts";

const digest = (chart: string) =>
  key(
    pattern(
      /^sha256:[0-9a-f]{64}$/,
      "must be a digest: sha256: and 64 of 0-9 and a-f",
      "helm pull prints it.",
    ).optional(),
    {
      description: `Digest of the chart \`${chart}\`.`,
      fallback: "the version alone decides",
      examples: [`sha256:${"0".repeat(64)}`],
    },
  );

const charts = z.strictObject({
  repository: key(
    text(
      (url) => URL.canParse(url) && /^(https?|oci):\/\/./.test(url),
      "must be an https or oci URL",
      "For example: oci://registry.example.com/istio-charts.",
      { pattern: "^(https?|oci)://." },
    ).optional(),
    {
      description:
        "URL of a Helm repository with Istio's charts, such as a mirror, or `oci://` and the part of an OCI registry that has `base`, `istiod` and `gateway`.",
      fallback: "Istio's official repository",
      examples: ["https://charts.example.com/istio", "oci://registry.example.com/istio-charts"],
    },
  ),
  digests: key(
    z
      .strictObject({
        base: digest("base"),
        istiod: digest("istiod"),
        gateway: digest("gateway"),
        cni: digest("cni"),
      })
      .optional(),
    {
      description:
        "Digests of the charts in an OCI registry: what is pushed anew under the same version is not installed.",
      fallback: "the version alone decides",
      rules: [
        "must be left out unless `repository` begins with `oci://`",
        "must be left out while `revisions` have several versions",
      ],
      examples: [{ istiod: `sha256:${"0".repeat(64)}` }],
    },
  ),
  username: key(filled("istio-canary").optional(), {
    description: "Who reads the repository.",
    fallback: "anybody may, or the Helm of this machine is logged in (`helm registry login`)",
    rules: ["must be given together with `repository` and `passwordSecret`"],
    examples: ["istio-canary"],
  }),
  passwordSecret: key(label("charts-password").optional(), {
    description: "Name of their password or token among the top-level `secrets`.",
    fallback: "none",
    rules: ["must be given together with `username`", "must be a name of `secrets`"],
    examples: ["charts-password"],
  }),
  directory: key(filled("/srv/charts").optional(), {
    description: "Folder with the packaged charts, used instead of a repository.",
    fallback: "a repository is used",
    rules: [
      "must hold `base-VERSION.tgz`, `istiod-VERSION.tgz` and `gateway-VERSION.tgz`, and with `cni: installed` also `cni-VERSION.tgz`",
    ],
    examples: ["/srv/charts"],
  }),
});

const tracing = z.strictObject({
  collector: key(domain("otel-collector.observability.svc.cluster.local"), {
    description:
      "Host of the Service of an OpenTelemetry collector, which every cluster has under this name.",
    effect: "Restarts istiod, and updates all proxies.",
    examples: ["otel-collector.observability.svc.cluster.local"],
  }),
  port: key(whole(1, 65_535, "For example: 4317.").default(4317), {
    description: "Its port for OTLP over gRPC.",
    effect: "Restarts istiod, and updates all proxies.",
    examples: [4317],
  }),
  samplingPercent: key(
    rule(
      z.number().meta({ minimum: 0, maximum: 100 }),
      (percent) => percent >= 0 && percent <= 100,
      "must be a number from 0 to 100",
      "For example: 1.",
    ).default(1),
    {
      description: "Percent of requests that start a trace, where the caller has not started one.",
      effect: "Updates all proxies; nothing restarts.",
      examples: [1],
    },
  ),
});

const NOT_EXISTING = "must be left out if `istio` is existing";

/** Keys without which no Istio can be installed. */
export const NEEDED_TO_INSTALL = ["id", "istioVersion"] as const;

/** Keys that say how Istio is installed. */
export const INSTALLED_KEYS = [
  "charts",
  "hub",
  "tracing",
  "ipFamilies",
  "oneNetwork",
  "readerTokens",
  "syncWithin",
  "eastWestAccess",
  "cni",
  "podSecurity",
  "values",
  "revisions",
  "tags",
] as const;

/** What all clusters share. */
export const mesh = z
  .strictObject({
    istio: key(z.enum(["installed", "existing"]).optional(), {
      routing: "none",
      description:
        "Whose Istio is. installed: the program installs it in all clusters. existing: others have, with istioctl, Helm or the Sail operator; the program reads what it needs of it from the clusters, and changes nothing of it, as docs/existing-istio.md tells.",
      fallback: "installed",
      rules: ["must not be existing together with `certificates` or `monitoring`"],
      effect: "Do not change it: the program would remove the mesh that it has installed.",
      examples: ["existing"],
    }),
    revision: key(label("1-31-0").optional(), {
      routing: "none",
      description:
        "With `istio: existing`: the revision of Istio that the services' pods are to have, where a cluster has several. Namespaces that the program makes are labelled with the revision that was found, unless it is `default`.",
      fallback: "the only one that a cluster has",
      rules: ["must be left out unless `istio` is existing"],
      effect:
        "Updates the label of the namespaces that the program makes; pods take the revision when they are next recreated.",
      examples: ["1-31-0"],
    }),
    id: key(label("prod-mesh").optional(), {
      routing: "none",
      description:
        "The mesh's id, the same in all clusters. It is also the organisation in generated certificates.",
      fallback: "none, it must be given unless `istio` is existing",
      effect:
        "Issues new intermediate certificates from the same root and upgrades istiod; proxies take the id when their pods are next recreated.",
      examples: ["prod-mesh"],
    }),
    istioVersion: key(istioVersion().optional(), {
      routing: "none",
      description:
        "Istio's version, of the charts and of the images, where `revisions` names no other.",
      fallback: "none, it must be given unless `istio` is existing",
      rules: [
        "must stay what it is in a mesh of several clusters, unless `allow` lists upgrade-everywhere",
        "must not skip a minor version",
      ],
      effect:
        "Upgrades istiod and the gateways in place, in every cluster at once: with `revisions` it goes step by step. Sidecars take the new version when their pods are next recreated: restart the services' Deployments.",
      examples: ["1.31.0"],
    }),
    ...upgradeKeys,
    trustDomain: key(domain("cluster.local").default("cluster.local"), {
      routing: "all",
      description: "Domain of all workload identities: `spiffe://cluster.local/ns/…/sa/…`.",
      rules: [
        "must be that of the clusters if `istio` is existing; left out, it is read from them",
      ],
      effect: "Breaks mTLS between old and new workloads until all pods have been recreated.",
      examples: ["cluster.local"],
    }),
    clusterDomain: key(domain("cluster.local").default("cluster.local"), {
      routing: "all",
      description:
        "Domain of Kubernetes Services, as the clusters' kubelets and DNS are configured; the same in all clusters.",
      rules: [
        "must be that of the clusters if `istio` is existing; left out, it is read from them",
      ],
      effect:
        "Changes every service's host in all rules. Change it together with the clusters' own setting only.",
      examples: ["cluster.local"],
    }),
    env: key(
      pattern(
        /^[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/,
        "must be the value of a label",
        "For example: prod.",
      ).default("prod"),
      {
        routing: "none",
        description: "Value of the label `env` on the services' objects and pods.",
        effect: "Rolls the pods of every service.",
        examples: ["prod"],
      },
    ),
    charts: key(
      rule(
        rule(
          rule(
            charts,
            ({ repository, directory }) => repository === undefined || directory === undefined,
            "must name a repository or a directory, not both",
            "Remove one of them.",
          ),
          ({ digests, repository = "" }) => digests === undefined || isRegistry(repository),
          "must have no digests unless its repository begins with oci://",
          "Only a registry knows charts by their digests: remove digests.",
        ),
        ({ repository, username, passwordSecret }) =>
          (username === undefined) === (passwordSecret === undefined) &&
          (username === undefined || repository !== undefined),
        "must have username, passwordSecret and repository together",
        "Add what is missing, or remove username and passwordSecret.",
      ).default({}),
      {
        routing: "none",
        description: "Where Istio's Helm charts come from.",
        rules: [NOT_EXISTING],
        effect: "Upgrades the Helm releases; if the charts are the same, nothing restarts.",
        examples: [{ directory: "/srv/charts" }],
      },
    ),
    hub: key(filled("docker.io/istio").optional(), {
      routing: "none",
      description:
        "Image hub of istiod, the proxies and, with `cni: installed`, the agent on the nodes (Helm value `global.hub`).",
      fallback: "the charts' own",
      rules: [NOT_EXISTING],
      effect:
        "Restarts istiod, and the agent on the nodes; proxies come from the new hub when their pods are next recreated.",
      examples: ["registry.example.com/istio"],
    }),
    tracing: key(tracing.optional(), {
      routing: "none",
      description:
        "Traces by OpenTelemetry: every proxy's spans carry the workload's version (`service.version`) and cluster (`k8s.cluster.name`).",
      fallback: "none",
      rules: [NOT_EXISTING],
      effect: "Restarts istiod, and updates all proxies.",
      examples: [{ collector: "otel-collector.observability.svc.cluster.local" }],
    }),
    ipFamilies: key(
      rule(
        z.array(z.enum(IP_FAMILIES, { error: "must be IPv4 or IPv6" })).meta({ minItems: 1 }),
        (families) => families.length > 0 && new Set(families).size === families.length,
        "must list IPv4, IPv6 or both, each once",
        "For example: [IPv6].",
      ).optional(),
      {
        routing: "all",
        description:
          "Families of the pods' IP addresses, the same in all clusters, the first one first. Hosts that name a cluster get a virtual address of each. With both, istiod, the gateways and the services are dual-stack (`ISTIO_DUAL_STACK`, `ipFamilyPolicy: PreferDualStack`).",
        fallback: "IPv4",
        rules: [NOT_EXISTING],
        effect:
          "Upgrades istiod and the gateways, and updates Services and ServiceEntries; with both families pods take part when they are next recreated.",
        examples: [["IPv6"], ["IPv4", "IPv6"]],
      },
    ),
    oneNetwork: key(z.boolean().optional(), {
      routing: "none",
      description:
        "Whether the pods of all clusters reach each other at their own addresses, in one network. Then there are no east-west gateways, and no hosts that name a cluster: each istiod sends requests straight to the pods of all.",
      fallback: "false: each cluster has its own network, and gateways connect them",
      rules: [
        "must be left out if `istio` is existing: then networks are read from the clusters",
        "must be given for `clusters[].network` to be the same in all clusters",
      ],
      effect:
        "Do not change it while services serve requests: gateways, and hosts that name a cluster, are made or removed.",
      examples: [true],
    }),
    readerTokens: key(scalar(label("2027-06")).optional(), {
      routing: "none",
      description:
        "Any text, such as a date. Another one gives every istiod new tokens for all other clusters. The old ones end at the end of the update, once every istiod reads with the new ones.",
      fallback: "tokens without one, which do not end",
      rules: [NOT_EXISTING],
      effect:
        "Makes the Secrets with the tokens anew and updates the remote secrets; each istiod reads on with the old token until it has synced with the new one.",
      examples: ["2027-06"],
    }),
    syncWithin: key(duration("2m").default("2m"), {
      routing: "none",
      description:
        "How long `pulumi up` waits, at the end of an update of the mesh, until every istiod reads every other cluster. It then fails and names which istiod does not read which cluster, and why. No weight waits for it.",
      rules: [NOT_EXISTING],
      effect: "Nothing in a cluster: it says how long an update waits.",
      examples: ["2m"],
    }),
    cni: key(z.enum(["installed", "existing"]).optional(), {
      routing: "none",
      description:
        "Who leads the traffic of pods to their sidecars. installed: Istio's CNI agent on each node, which the program installs into `kube-system` of every cluster with the chart `cni`. existing: that agent, which others have installed. Without it, each pod has an init container with the capabilities NET_ADMIN and NET_RAW, which Pod Security and OpenShift's `restricted-v2` refuse.",
      fallback: "an init container in each pod",
      rules: [NOT_EXISTING],
      effect:
        "Installs or removes the agent, and upgrades istiod; pods follow when they are next recreated. Before you take the key away, let all pods have the init container again, as docs/clouds/README.md tells.",
      examples: ["installed"],
    }),
    podSecurity: key(z.enum(["baseline", "restricted"]).optional(), {
      routing: "none",
      description:
        "Pod Security Standard that the namespaces of the services and of the ingress gateways enforce (label `pod-security.kubernetes.io/enforce`). With restricted, sidecars and ingress gateways also get the seccomp profile RuntimeDefault.",
      fallback: "no label",
      rules: [
        "must be left out unless `cni` is given, and while values of istiod say `pilot.cni.enabled: false`",
        NOT_EXISTING,
      ],
      effect:
        "Updates the namespaces, in which pods that do not comply are not started any more; with restricted, upgrades istiod and replaces the pods of the ingress gateways one after the other.",
      examples: ["restricted"],
    }),
    eastWestAccess: key(z.enum(["needed", "chart"]).optional(), {
      routing: "none",
      description:
        "What the east-west gateways open, and may read. needed: their Services have the ports 15443, for the mesh, and 15021, for health checks of load balancers, and their ServiceAccount reads no Secret. chart: what Istio's chart gives: in addition the ports 15012 and 15017, by which a mesh of this program needs nothing, and every Secret of `istio-system`, the CA's key among them. Choose needed for a new mesh.",
      fallback: "chart, which existing meshes have",
      rules: [NOT_EXISTING],
      effect:
        "Upgrades the Helm releases of the east-west gateways in every cluster: two ports of the Services and a Role go or come. No pod restarts.",
      examples: ["needed"],
    }),
    values: key(
      z
        .strictObject({
          base: valuesEverywhere("base", [{}]),
          cni: key(helmValues.optional(), {
            description:
              "Values of the chart `cni`, with `cni: installed`. A platform (`global.platform`) must be named here as well as in `istiod`.",
            effect: "Upgrades the Helm releases of `cni` in every cluster.",
            fallback: "none",
            placeholder: "value",
            examples: [{ global: { platform: "openshift" } }],
          }),
          istiod: valuesEverywhere("istiod", [{ pilot: { autoscaleMin: 2 } }]),
          gateway: valuesEverywhere("gateway", [{ service: { annotations: {} } }]),
          eastWest: gatewayValuesEverywhere("east-west", [
            {
              service: {
                annotations: { "networking.gke.io/load-balancer-type": "Internal" },
              },
            },
          ]),
          ingress: gatewayValuesEverywhere("ingress", [
            { service: { externalTrafficPolicy: "Local" } },
          ]),
        })
        .default({ base: {}, istiod: {}, gateway: {} }),
      {
        routing: "none",
        description:
          "Helm values for what no other key covers, the same in every cluster. What differs between clusters goes into `clusters[].values`.",
        rules: [NOT_EXISTING],
        examples: [{ istiod: { pilot: { autoscaleMin: 2 } } }],
      },
    ),
  })
  .meta({
    // What the program installs it must know all of; editors ask for it too.
    if: { properties: { istio: { const: "existing" } }, required: ["istio"] },
    then: {},
    else: { required: [...NEEDED_TO_INSTALL] },
  });

export type Mesh = z.output<typeof mesh>;
