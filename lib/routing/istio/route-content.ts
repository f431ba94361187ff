import * as z from "zod";
import { CHAIN, CONTEXTS, EXISTING, MARK, REPLACES, WORKLOAD } from "../routing-annotations.ts";
import type { DeployedSplit } from "../../deployed.ts";
import { versionName } from "../../version-name.ts";
import type { FoundRoute, RouteContent } from "../routing.ts";
import { ROLE_LABEL, VERSION_LABELS } from "../version-labels.ts";
import { splitOf } from "./split.ts";
import { virtualServiceSpec } from "./virtual-service-spec.ts";

const text = z.string().optional().catch(undefined);
const labels = z.looseObject({
  [ROLE_LABEL]: z.enum(["entry", "follower"]).optional().catch(undefined),
  [VERSION_LABELS.stable]: text,
  [VERSION_LABELS.canary]: text,
});

const partial = z.looseObject({
  metadata: z
    .looseObject({
      labels: labels.catch({}),
      annotations: z.looseObject({ [MARK]: text, [REPLACES]: text, [WORKLOAD]: text }).catch({}),
    })
    .catch({ labels: {}, annotations: {} }),
  spec: z.looseObject({ http: z.array(z.unknown()).catch([]) }).catch({ http: [] }),
});

/** What an object says of itself, beside its spec. */
interface About {
  readonly labels?: z.infer<typeof labels> | undefined;
  readonly annotations: { readonly [WORKLOAD]?: string | undefined };
}

function isExisting({ annotations }: About): boolean {
  return annotations[WORKLOAD] === EXISTING[WORKLOAD];
}

/** Versions that rules may name, by what they may be known from. */
type Known = readonly (string | undefined)[];

/**
 * The versions and the weight; where the rules name no version, the label tells the stable one.
 *
 * @param known versions beside those that labels tell: labels are older than rules that were written ahead of Pulumi
 */
function splitIn(spec: unknown, { labels, ...about }: About, known: Known = []): DeployedSplit {
  const split = splitOf(spec);
  const told = labels?.[VERSION_LABELS.stable];
  if (isExisting(about) && split.stable === "") {
    return { ...split, stable: told ?? "", unnamed: true };
  }
  const all = [told, labels?.[VERSION_LABELS.canary], ...known];
  const versionOf = (subset: string) =>
    all.find((version) => version !== undefined && versionName(version) === subset) ?? subset;
  return {
    ...split,
    stable: versionOf(split.stable),
    canary: split.canary === undefined ? undefined : versionOf(split.canary),
  };
}

/** Reads a VirtualService of which parts may be missing, as in Pulumi's state. */
export function routeContent(virtualService: unknown): RouteContent {
  const { metadata, spec } = partial.parse(virtualService);
  return {
    split: spec.http.length > 0 ? splitIn(spec, metadata) : undefined,
    role: metadata.labels[ROLE_LABEL],
    mark: metadata.annotations[MARK],
    replaces: metadata.annotations[REPLACES],
  };
}

const live = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    generation: z.number(),
    resourceVersion: z.string().optional(),
    managedFields: z
      .array(
        z.looseObject({
          manager: z.string().optional(),
          operation: z.string().optional(),
          fieldsV1: z.unknown(),
        }),
      )
      .optional(),
    annotations: z.record(z.string(), z.string()).default({}),
    labels: labels.optional(),
  }),
  spec: virtualServiceSpec.extend({ hosts: z.array(z.string()).default([]) }),
});

const ownsRules = z.looseObject({ "f:spec": z.looseObject({ "f:http": z.unknown() }).required() });

/** Field managers by which this program and Pulumi's provider write. */
const OWN_MANAGERS = /^(istio-canary$|pulumi)/;

/** Field managers of controllers that apply manifests again and again: Argo CD's, and Flux' two. */
const CONTROLLERS = /^(argocd-|kustomize-controller$|helm-controller$)/;

/** How those begin that write once, when a person runs them, though perhaps by server-side apply. */
const BY_HAND = "kubectl";

/**
 * Who owns the rules by the API server's account of fields. `writtenBy` is none if one of the owners is this program or
 * Pulumi: what is there then is theirs too. `appliedBy` applies them again and again, whoever else owns them.
 */
function otherManagers(managedFields: z.infer<typeof live>["metadata"]["managedFields"]) {
  const owners = (managedFields ?? []).flatMap(({ manager, operation, fieldsV1 }) =>
    manager !== undefined && ownsRules.safeParse(fieldsV1).success ? [{ manager, operation }] : [],
  );
  const others = owners.filter(({ manager }) => !OWN_MANAGERS.test(manager));
  return {
    writtenBy: others.length === owners.length ? others[0]?.manager : undefined,
    appliedBy: others.find(
      ({ manager, operation }) =>
        CONTROLLERS.test(manager) || (operation === "Apply" && !manager.startsWith(BY_HAND)),
    )?.manager,
  };
}

/** What the annotation says; nothing if it is not there, or not as this program writes it. */
function contextsIn(text = "[]"): readonly string[] {
  try {
    return z.array(z.string()).parse(JSON.parse(text));
  } catch {
    return [];
  }
}

/**
 * Reads a VirtualService as the API server returns it.
 *
 * @param known versions that it may name. @default those that its labels tell
 */
export function foundRoute(virtualService: unknown, known: Known = []): FoundRoute {
  const { metadata, spec } = live.parse(virtualService);
  const { annotations } = metadata;
  return {
    service: metadata.name,
    namespace: metadata.namespace,
    hosts: spec.hosts,
    contexts: contextsIn(annotations[CONTEXTS]),
    route: {
      ...splitIn(spec, metadata, known),
      ...(isExisting(metadata) && { existing: true }),
      generation: metadata.generation,
      ...otherManagers(metadata.managedFields),
      resourceVersion: metadata.resourceVersion,
      replaces: annotations[REPLACES],
      role: metadata.labels?.[ROLE_LABEL],
      members: annotations[CHAIN]?.split(" "),
      mark: annotations[MARK],
      rules: spec.http,
    },
  };
}
