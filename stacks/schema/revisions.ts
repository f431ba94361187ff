import * as z from "zod";
import { filled, key, label, pattern, rule } from "./values.ts";

/** A full version of Istio, as charts and images have it. */
export const istioVersion = () =>
  pattern(
    /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/,
    "must be a full version",
    "For example: 1.31.0, in quotes if YAML takes it for a number.",
  );

const clusters = (what: string) =>
  key(
    rule(
      z.array(filled("cluster-a")).meta({ minItems: 1 }),
      (list) => list.length > 0,
      "must list a cluster",
      "Leave it out for all clusters.",
    ).optional(),
    {
      description: `Names of the clusters in which ${what}.`,
      fallback: "all",
      rules: ["must be names of clusters, each once"],
      examples: [["cluster-a"]],
    },
  );

const revision = z.strictObject({
  name: key(label("1-31-1"), {
    description:
      "Istio's name of the control plane, as its version with dashes. `default` is the one without a revision, which a mesh begins with.",
    rules: ["must be different in each entry"],
    effect: "Another name is another control plane: it is installed, and the former one removed.",
    examples: ["1-31-1"],
  }),
  version: key(istioVersion().optional(), {
    description: "Its version, of chart and images.",
    fallback: "`mesh.istioVersion`",
    rules: [
      "must be a version that the program supports",
      "must be at most one minor version apart from the others of a cluster",
      "must stay what it is, but for that of `default`",
    ],
    examples: ["1.31.1"],
  }),
  clusters: clusters("it is"),
});

const tag = z.strictObject({
  name: key(label("prod"), {
    description:
      "Name of the tag. `default` is what namespaces with the label `istio-injection: enabled` have.",
    rules: ["must not be the name of a revision, but for `default`"],
    examples: ["default"],
  }),
  revision: key(label("1-31-1"), {
    description: "The revision that it stands for.",
    rules: ["must be one of `mesh.revisions` in each of the clusters, and not `default`"],
    effect:
      "Pods take the other revision when they are next recreated; those that the program makes are rolled at once, and so are gateways.",
    examples: ["1-31-1"],
  }),
  clusters: clusters("it stands for that revision"),
});

const namespaceRevision = z.strictObject({
  namespace: key(label("shop"), {
    description:
      "Namespace of services that the program runs, or of gateways: `istio-system` for those between clusters, `istio-ingress` for those for clients outside.",
    rules: [
      "must be a namespace that the stack makes, or one of gateways that it has",
      "must have at most one entry for each cluster",
    ],
    examples: ["shop"],
  }),
  revision: key(label("1-31-1"), {
    description: "The revision or tag that its pods have.",
    rules: ["must be a revision or a tag of each of the clusters"],
    effect: "Labels the namespace, and rolls the pods in it that the program makes.",
    examples: ["1-31-1"],
  }),
  clusters: clusters("they have it"),
});

/** Keys of `mesh` by which it is upgraded; see docs/upgrades.md. */
export const upgradeKeys = {
  revisions: key(
    rule(
      z.array(revision).meta({ minItems: 1 }),
      (list) => list.length > 0,
      "must list a revision",
      "Leave it out for the control plane without a revision alone.",
    ).optional(),
    {
      routing: "none",
      description:
        "Control planes that are side by side, all of them: docs/upgrades.md tells how to move from one to the next.",
      fallback: "one without a revision, of `mesh.istioVersion`, in every cluster",
      rules: [
        "must be left out if `mesh.istio` is existing",
        "must leave each cluster one, and `default` where no tag `default` replaces it",
        "must keep those that proxies still use",
      ],
      effect: "Installs those that are new, next to the others, and removes those that are gone.",
      examples: [[{ name: "default" }, { name: "1-31-1", version: "1.31.1" }]],
    },
  ),
  tags: key(z.array(tag).optional(), {
    routing: "none",
    description: "Names for revisions, by which namespaces are moved together.",
    fallback: "none",
    rules: [
      "must be left out if `mesh.istio` is existing",
      "must have at most one entry for each name and cluster",
    ],
    effect: "Adds a webhook to each cluster for each tag, or leads it to another revision.",
    examples: [[{ name: "default", revision: "1-31-1", clusters: ["cluster-a"] }]],
  }),
};

export const dataPlane = z.array(namespaceRevision).default([]);

export type DataPlane = z.output<typeof dataPlane>;
