import { SYSTEM_NAMESPACE } from "../names.ts";
import { DEFAULT_REVISION, REVISION_LABEL, suffixOf, TAG_LABEL } from "../revisions.ts";

const INJECT = "sidecar.istio.io/inject";
const INJECTION = "istio-injection";

const is = (key: string, ...values: string[]) => ({ key, operator: "In", values });
const isNot = (key: string, ...values: string[]) => ({ key, operator: "NotIn", values });
const lacks = (key: string) => ({ key, operator: "DoesNotExist" });

/** What a tag's webhook injects: pods of the namespaces that `namespace` selects, of which `object` selects some. */
function selections(tag: string) {
  const labelled = {
    "rev.namespace": {
      namespace: [is(REVISION_LABEL, tag), lacks(INJECTION)],
      object: [isNot(INJECT, "false")],
    },
    "rev.object": {
      namespace: [lacks(REVISION_LABEL), lacks(INJECTION)],
      object: [isNot(INJECT, "false"), is(REVISION_LABEL, tag)],
    },
  };
  const unlabelled = {
    namespace: { namespace: [is(INJECTION, "enabled")], object: [isNot(INJECT, "false")] },
    object: {
      namespace: [lacks(INJECTION), lacks(REVISION_LABEL)],
      object: [is(INJECT, "true"), lacks(REVISION_LABEL)],
    },
  };
  return tag === DEFAULT_REVISION ? { ...labelled, ...unlabelled } : labelled;
}

/**
 * The webhook by which a tag stands for a revision, as Istio's chart `istiod` makes it (templates/revision-tags-mwc.yaml).
 * Apart from the chart, which makes it as a part of one revision's release: it could not be led to another one, only
 * removed and made anew, and pods of that moment would have no sidecar. That istiod adds its own certificate.
 */
export function revisionTag(tag: string, revision: string) {
  return {
    metadata: {
      name: `istio-revision-tag-${tag}`,
      labels: { [TAG_LABEL]: tag, [REVISION_LABEL]: revision, app: "sidecar-injector" },
    },
    webhooks: Object.entries(selections(tag)).map(([prefix, { namespace, object }]) => ({
      name: `${prefix}.sidecar-injector.istio.io`,
      clientConfig: {
        service: {
          name: `istiod${suffixOf(revision)}`,
          namespace: SYSTEM_NAMESPACE,
          path: "/inject",
          port: 443,
        },
      },
      sideEffects: "None",
      rules: [
        { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] },
      ],
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      admissionReviewVersions: ["v1"],
      namespaceSelector: { matchExpressions: namespace },
      objectSelector: { matchExpressions: object },
    })),
  };
}
