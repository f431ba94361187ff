import {
  clusterOf,
  objectName,
  parseUrn,
  PROVIDER_TYPE,
  type Digest,
  type Step,
} from "./digest.ts";
import { REPLACES } from "../lib/routing/routing-annotations.ts";
import { parsePath } from "./property-path.ts";
import { shownAt } from "./secrets.ts";

/** What happens to a resource, in the order in which it deserves attention. */
export const ACTIONS = ["delete", "replace", "change", "create"] as const;
type Action = (typeof ACTIONS)[number];

const ACTION_OF: Readonly<Record<string, Action>> = {
  create: "create",
  import: "create",
  update: "change",
  delete: "delete",
  // The engine may tell a replacement as several steps; the first of these says most.
  replace: "replace",
  "create-replacement": "replace",
  "import-replacement": "replace",
  "delete-replaced": "replace",
};
const PRECEDENCE = Object.keys(ACTION_OF);

/** One property that changes. Undefined stands for a side on which there is none. */
export interface PropertyChange {
  readonly path: string;
  readonly old: unknown;
  readonly new: unknown;
}

/** One resource that changes. */
export interface Change {
  readonly action: Action;
  /** Undefined for what is in no cluster. */
  readonly cluster: string | undefined;
  /** `VirtualService`, `Release`, `Certificate` … */
  readonly kind: string;
  /** `namespace/name` of a Kubernetes object, Pulumi's name of everything else. */
  readonly name: string;
  /** Properties that change, by path, secrets replaced. */
  readonly properties: readonly PropertyChange[];
  /** Properties that make a replacement necessary. */
  readonly reasons: readonly string[];
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Every resource that a preview would change, in an order that is the same each time. */
export function changes({ steps }: Digest): readonly Change[] {
  const found = new Map<string, Change>();
  const ordered = steps.toSorted((a, b) => PRECEDENCE.indexOf(a.op) - PRECEDENCE.indexOf(b.op));
  for (const step of ordered) {
    const action = ACTION_OF[step.op];
    const key = `${step.urn} ${action ?? ""}`;
    // Components and the stack only group what is there.
    const isResource = (step.newState ?? step.oldState)?.custom === true;
    if (action !== undefined && isResource && !found.has(key)) {
      found.set(key, change(step, action));
    }
  }
  return [...found.values()].sort(
    (a, b) =>
      ACTIONS.indexOf(a.action) - ACTIONS.indexOf(b.action) ||
      byText(a.kind, b.kind) ||
      byText(a.name, b.name),
  );
}

function change(step: Step, action: Action): Change {
  const { type, name } = parseUrn(step.urn);
  const inputs = (step.newState ?? step.oldState)?.inputs ?? {};
  const known = type.startsWith("kubernetes:") ? objectName(inputs) : undefined;
  return {
    action,
    cluster: clusterOf(step),
    kind: type === PROVIDER_TYPE ? "Provider" : (type.split(":").at(-1) ?? type),
    name: known ?? name,
    properties: action === "change" || action === "replace" ? propertyChanges(step, type) : [],
    reasons: [...(step.replaceReasons ?? [])].sort(byText),
  };
}

/** Whether a property says nothing but that the cluster differs from Pulumi's state, or is to. */
export function isMark(path: string): boolean {
  return parsePath(path).at(-1) === REPLACES;
}

function propertyChanges(step: Step, type: string): PropertyChange[] {
  const olds = step.oldState;
  const news = step.newState;
  const details = step.detailedDiff ?? {};
  const paths = Object.keys(details).length > 0 ? Object.keys(details) : changedKeys(step);
  const telling = paths.filter((path) => !isMark(path));
  return (telling.length > 0 ? telling : paths)
    .map((path) => {
      const parts = parsePath(path);
      const before = details[path]?.inputDiff === false ? olds?.outputs : olds?.inputs;
      return {
        path,
        old: shownAt(before, type, parts),
        new: shownAt(news?.inputs, type, parts),
      };
    })
    .sort((a, b) => comparePaths(a.path, b.path));
}

/** Top-level inputs that differ, for providers that give no details. */
function changedKeys({ oldState, newState, diffReasons }: Step): readonly string[] {
  const olds = oldState?.inputs ?? {};
  const news = newState?.inputs ?? {};
  const differ = Object.keys({ ...olds, ...news }).filter(
    // The SDK keeps a dynamic provider's code in an input.
    (key) => key !== "__provider" && JSON.stringify(olds[key]) !== JSON.stringify(news[key]),
  );
  return [...new Set([...(diffReasons ?? []), ...differ])];
}

/** Orders `a[2]` before `a[10]`. */
function comparePaths(a: string, b: string): number {
  const [left, right] = [parsePath(a), parsePath(b)];
  for (const [i, x] of left.entries()) {
    const y = right[i];
    if (y === undefined) return 1;
    const order =
      typeof x === "number" && typeof y === "number" ? x - y : byText(String(x), String(y));
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
