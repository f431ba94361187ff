import type { V1Deployment, V1EnvVar } from "@kubernetes/client-node";
import { CONFIG_ANNOTATIONS, CONFIG_PARTS } from "../lib/version-config.ts";
import { podShape } from "../lib/pod-shape.ts";
import { flatResources, OWN_VARIABLES, TEMPLATE, type Pods } from "../lib/pods.ts";

/** Field managers of Pulumi's provider begin so. */
const PULUMI = "pulumi";

/** What is in an object at keys, or undefined. */
function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}

/**
 * Says whether Pulumi has written a field of the pods' template, and nobody has taken it over since: another value in
 * the configuration then changes it. Where the API server does not tell, it counts as written.
 */
function writtenByPulumi(
  { metadata }: V1Deployment,
  container: string,
): (...field: readonly string[]) => boolean {
  const templates = (metadata?.managedFields ?? [])
    .filter(({ manager }) => manager?.startsWith(PULUMI))
    .map(({ fieldsV1 }) => at(fieldsV1, "f:spec", "f:template"))
    .filter((fields) => at(fields, ...inContainer(container)) !== undefined);
  return (...field) =>
    templates.length === 0 || templates.some((fields) => at(fields, ...field) !== undefined);
}

/** Where the fields of a container are in a template's. */
function inContainer(name: string): readonly string[] {
  return ["f:spec", "f:containers", `k:${JSON.stringify({ name })}`];
}

/** A variable's text, or where it comes from, as JSON has it. */
function valueOf({ value, valueFrom }: V1EnvVar): unknown {
  return valueFrom ? JSON.parse(JSON.stringify(valueFrom)) : (value ?? "");
}

/** What decides the container of a Deployment; undefined if it has no such container. */
export function podsIn(deployment: V1Deployment, container: string): Pods | undefined {
  const found = deployment.spec?.template.spec?.containers.find(({ name }) => name === container);
  if (!found) return undefined;
  const isWritten = writtenByPulumi(deployment, container);
  const isPulumis = (...field: readonly string[]) => isWritten(...inContainer(container), ...field);
  const shape = podShape(deployment.spec?.template, container, isWritten);
  const { name: workload = "", annotations = {} } = deployment.metadata ?? {};
  const template = annotations[TEMPLATE];
  // Of the Secret that the program has made, whose content the annotations tell.
  const isConfig = ({ valueFrom }: V1EnvVar) =>
    annotations[CONFIG_ANNOTATIONS.secretEnv] !== undefined &&
    valueFrom?.secretKeyRef?.name?.startsWith(`${workload}-`) === true;
  const isVariable = (name: string) => {
    const variable = ["f:env", `k:${JSON.stringify({ name })}`];
    return isPulumis(...variable, "f:value") || isPulumis(...variable, "f:valueFrom");
  };
  return {
    image: isPulumis("f:image") ? found.image : undefined,
    env: Object.fromEntries(
      (found.env ?? [])
        .filter((each) => !OWN_VARIABLES.includes(each.name) && !isConfig(each))
        .map((each) => [each.name, isVariable(each.name) ? valueOf(each) : undefined]),
    ),
    args: found.args === undefined || isPulumis("f:args") ? (found.args ?? []) : undefined,
    resources: Object.fromEntries(
      Object.entries(flatResources(found.resources)).map(([name, quantity]) => {
        const [kind = "", ...resource] = name.split(".");
        const isOwn = isPulumis("f:resources", `f:${kind}`, `f:${resource.join(".")}`);
        return [name, isOwn ? quantity : undefined];
      }),
    ),
    ...(template !== undefined && { template }),
    ...(Object.keys(shape).length > 0 && { shape }),
    ...Object.fromEntries(
      CONFIG_PARTS.flatMap((part) => {
        const digest = annotations[CONFIG_ANNOTATIONS[part]];
        return digest === undefined ? [] : [[part, digest]];
      }),
    ),
  };
}
