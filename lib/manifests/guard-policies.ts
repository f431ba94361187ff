import { GUARD_KEY, JOURNAL } from "../journal.ts";
import { routing } from "../routing/index.ts";
import type { AdmissionRules } from "../routing/routing.ts";

/** How the accounts of guards begin; a cluster's name, or its key in the journal, follows. */
const ACCOUNT = "release-";

/** The ServiceAccount of a cluster's guard, in that cluster and in all others. */
export function guardAccount(cluster: string): string {
  return `${ACCOUNT}${GUARD_KEY}${cluster}`;
}

/** Whether the key `k` of the journal is that of the guard that asks. */
const OWN_KEY = `(k.startsWith('${GUARD_KEY}') && request.userInfo.username.endsWith(':${ACCOUNT}' + k))`;

/** Lets a guard write its own note, and no other's. */
const OWN_NOTE: AdmissionRules = {
  variables: [
    {
      name: "notes",
      expression: "object != null && 'data' in dyn(object) ? dyn(object).data : {}",
    },
    {
      name: "oldNotes",
      expression: "oldObject != null && 'data' in dyn(oldObject) ? dyn(oldObject).data : {}",
    },
  ],
  validations: [
    {
      message: `a guard may write its own key of ${JOURNAL}, and nothing else`,
      expression: `request.operation != 'DELETE' && object.metadata.name == '${JOURNAL}' && variables.notes.all(k, ${OWN_KEY} || (k in variables.oldNotes && variables.notes[k] == variables.oldNotes[k])) && variables.oldNotes.all(k, ${OWN_KEY} || k in variables.notes)`,
    },
  ],
};

/** A rule for what the accounts of a namespace ask of an API server, as its spec has it. */
function policy(
  namespace: string,
  { apiGroup, resource }: { readonly apiGroup: string; readonly resource: string },
  { variables, validations }: AdmissionRules,
) {
  return {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: [apiGroup],
          apiVersions: ["*"],
          operations: ["CREATE", "UPDATE", "DELETE"],
          resources: [resource],
        },
      ],
    },
    matchConditions: [
      {
        name: "guard",
        expression: `'system:serviceaccounts:${namespace}' in request.userInfo.groups`,
      },
    ],
    variables: variables.map((each) => ({ ...each })),
    validations: validations.map((each) => ({ ...each })),
  };
}

/**
 * What a cluster lets guards do beyond their roles, by a name: whatever account of the guards' namespace asks, it may
 * lower canaries and change its own note, and nothing else.
 */
export function guardPolicies(namespace: string) {
  const { apiGroup, resource } = routing.metrics;
  return {
    weights: policy(namespace, { apiGroup, resource }, routing.lowerOnly),
    notes: policy(namespace, { apiGroup: "", resource: "configmaps" }, OWN_NOTE),
  };
}
