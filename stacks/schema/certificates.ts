import * as z from "zod";
import { filled, key, scalar, whole } from "./values.ts";

const days = (example: number) =>
  whole(1, 36500, `Write a number of days, for example ${example}.`);
const PEM = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n";
/** What a secret looks like in the stack's file. */
const SECURE = { secure: "v1:…" };

const authority = z.strictObject({
  certificate: key(z.string().optional(), {
    description: "The cluster's intermediate certificate, PEM.",
    fallback: "none, it must be given",
    rules: [
      "must be given together with `key`",
      "must be a CA that is valid now and signed by `root`, directly or through `chain`",
    ],
    secret: true,
    examples: [PEM],
  }),
  key: key(z.string().optional(), {
    description:
      "Private key of the intermediate, PEM without passphrase. Set it with `pulumi config set --path --secret`.",
    fallback: "none, it must be given",
    rules: ["must be given together with `certificate`", "must belong to it"],
    secret: true,
    examples: [SECURE],
  }),
  chain: key(z.string().optional(), {
    description: "Certificates between the intermediate and the root, PEM, lowest first.",
    fallback: "the root signs the intermediate itself",
    secret: true,
    examples: [PEM],
  }),
});

/** The mesh's authorities: how they are generated, or the ones that you provide. */
export const certificates = z.strictObject({
  rotation: key(scalar(filled("2027-06")).default("1"), {
    description:
      "Any text, such as a date. Changing it issues new intermediates; it has no effect on certificates that you provide.",
    effect:
      "Issues a new intermediate for each cluster from the same root. istiod loads it while it runs, and no connection breaks.",
    examples: ["2027-06"],
  }),
  rootDays: key(days(3650).default(3650), {
    description: "Days that a generated root is valid, from when it is first made.",
    effect: "Nothing for an existing root: no setting issues a new root.",
    examples: [3650],
  }),
  intermediateDays: key(days(365).default(365), {
    description: "Days that a generated intermediate is valid, at most as long as the root.",
    effect: "Issues new intermediates from the same root, like `rotation`.",
    examples: [365],
  }),
  root: key(z.string().optional(), {
    description: "A root certificate that is issued elsewhere, PEM. Its key stays where it is.",
    fallback: "generated",
    rules: ["must be given together with `clusters`", "must be a CA that is valid now"],
    effect:
      "Another root breaks mTLS between old and new workloads until all pods have new certificates.",
    secret: true,
    examples: [PEM],
  }),
  clusters: key(z.record(z.string(), authority).optional(), {
    description: "The intermediate of each cluster, by the cluster's name.",
    fallback: "generated",
    rules: [
      "must be given together with `root`",
      "must name every cluster of the mesh, and no other",
    ],
    effect:
      "Updates the Secret `cacerts` in the cluster. istiod loads another intermediate of the same root while it runs.",
    placeholder: "cluster",
    examples: [{ "cluster-a": { certificate: PEM, key: SECURE } }],
  }),
});

export type Certificates = z.output<typeof certificates>;
