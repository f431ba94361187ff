import * as z from "zod";
import { istioVersion, upgradeKeys } from "./revisions.ts";
import { domain, filled, key, label, pattern, rule, whole } from "./values.ts";

const helmValues = (chart: string, examples: readonly unknown[]) =>
  key(z.record(z.string(), z.unknown()).default({}), {
    description: `Values of the chart \`${chart}\`, merged over the program's own: maps key by key, all else replaced.`,
    effect: `Upgrades the Helm releases of \`${chart}\` in every cluster.`,
    examples,
    placeholder: "value",
  });

const charts = z.strictObject({
  repository: key(z.url().optional(), {
    description: "URL of a Helm repository with Istio's charts, such as a mirror.",
    fallback: "Istio's official repository",
    examples: ["https://charts.example.com/istio"],
  }),
  directory: key(filled("/srv/charts").optional(), {
    description: "Folder with the packaged charts, used instead of a repository.",
    fallback: "a repository is used",
    rules: ["must hold `base-VERSION.tgz`, `istiod-VERSION.tgz` and `gateway-VERSION.tgz`"],
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
export const INSTALLED_KEYS = ["charts", "hub", "tracing", "values", "revisions", "tags"] as const;

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
        charts,
        ({ repository, directory }) => repository === undefined || directory === undefined,
        "must name a repository or a directory, not both",
        "Remove one of them.",
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
      description: "Image hub of istiod and the proxies (Helm value `global.hub`).",
      fallback: "the charts' own",
      rules: [NOT_EXISTING],
      effect: "Restarts istiod; proxies come from the new hub when their pods are next recreated.",
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
    values: key(
      z
        .strictObject({
          base: helmValues("base", [{}]),
          istiod: helmValues("istiod", [{ pilot: { autoscaleMin: 2 } }]),
          gateway: helmValues("gateway", [{ service: { annotations: {} } }]),
        })
        .default({ base: {}, istiod: {}, gateway: {} }),
      {
        routing: "none",
        description: "Helm values for what no other key covers, the same in every cluster.",
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
