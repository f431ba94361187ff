import type { AdmissionRules } from "../routing.ts";
import { FENCED } from "../routing-annotations.ts";

/** Rules that a VirtualService has at most, and destinations of a rule; CEL counts over no range of its own. */
const MOST_RULES = 256;
const MOST_DESTINATIONS = 8;

const upTo = (end: number) => `[${Array.from({ length: end }, (_, i) => i).join(", ")}]`;

/** Whether two maps have the same, but for what `but` says of a key `k`. */
const same = (now: string, old: string, but: string) =>
  `${now}.all(k, ${but} || (k in ${old} && ${now}[k] == ${old}[k])) && ${old}.all(k, ${but} || k in ${now})`;

const weight = (destination: string) =>
  `('weight' in ${destination} ? int(${destination}.weight) : 0)`;

const now = "variables.routes[i]";
const old = "variables.oldRoutes[i]";

/**
 * Lets an update of a VirtualService pass only if the canary, the second destination of a rule, gets less, stable what
 * it loses, and all else stays as it is. An apply takes the annotation of an earlier fence away.
 */
export const LOWER_ONLY: AdmissionRules = {
  variables: [
    { name: "rules", expression: "'http' in dyn(object.spec) ? dyn(object.spec).http : []" },
    {
      name: "oldRules",
      expression: "'http' in dyn(oldObject.spec) ? dyn(oldObject.spec).http : []",
    },
    { name: "routes", expression: "variables.rules.map(rule, 'route' in rule ? rule.route : [])" },
    {
      name: "oldRoutes",
      expression: "variables.oldRules.map(rule, 'route' in rule ? rule.route : [])",
    },
    {
      name: "annotations",
      expression: "'annotations' in dyn(object.metadata) ? dyn(object.metadata).annotations : {}",
    },
    {
      name: "oldAnnotations",
      expression:
        "'annotations' in dyn(oldObject.metadata) ? dyn(oldObject.metadata).annotations : {}",
    },
  ],
  validations: [
    {
      message: "its labels, annotations, owners and finalizers must stay as they are",
      expression: [
        "['labels', 'ownerReferences', 'finalizers'].all(k, (k in dyn(object.metadata)) == (k in dyn(oldObject.metadata)) && (!(k in dyn(object.metadata)) || dyn(object.metadata)[k] == dyn(oldObject.metadata)[k]))",
        `variables.annotations.all(k, k in variables.oldAnnotations && variables.annotations[k] == variables.oldAnnotations[k])`,
        `variables.oldAnnotations.all(k, k == '${FENCED}' || k in variables.annotations)`,
      ].join(" && "),
    },
    {
      message: "nothing but the weights of its rules may change",
      expression: [
        same("dyn(object.spec)", "dyn(oldObject.spec)", "k == 'http'"),
        `size(variables.rules) == size(variables.oldRules) && size(variables.rules) <= ${MOST_RULES}`,
        `${upTo(MOST_RULES)}.all(i, i >= size(variables.rules) || (${[
          same("variables.rules[i]", "variables.oldRules[i]", "k == 'route'"),
          `size(${now}) == size(${old}) && size(${now}) <= ${MOST_DESTINATIONS}`,
          `${upTo(MOST_DESTINATIONS)}.all(j, j >= size(${now}) || (${same(`${now}[j]`, `${old}[j]`, "k == 'weight'")}))`,
        ].join(" && ")}))`,
      ].join(" && "),
    },
    {
      message: "the canary's weight may only fall, and the weights of a rule must be 100 together",
      expression: `size(variables.routes) == size(variables.oldRoutes) && ${upTo(MOST_RULES)}.all(i, i >= size(variables.routes) || (size(${now}) == size(${old}) && (size(${now}) == 2 ? (${[
        `${weight(`${now}[1]`)} <= ${weight(`${old}[1]`)}`,
        `${weight(`${now}[1]`)} >= 0`,
        `${weight(`${now}[0]`)} + ${weight(`${now}[1]`)} == 100`,
      ].join(" && ")}) : ${now} == ${old})))`,
    },
  ],
};
