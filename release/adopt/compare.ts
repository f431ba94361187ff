import { isDeepStrictEqual } from "node:util";
import { load } from "js-yaml";
import * as z from "zod";
import { fromJson } from "../../lib/from-json.ts";
import { serviceKey, idOf, SERVICE_PORT } from "../../lib/names.ts";
import { show } from "../../lib/problems.ts";
import { schema, type Service } from "../../stacks/schema.ts";
import type { Chosen } from "./proposal.ts";
import type { FoundStack } from "./stack-text.ts";

/** A stack's config file, as far as `release adopt` reads it. */
export interface StackFile {
  readonly meshStack: unknown;
  /** Contexts of its clusters. @default it has none: they are the mesh stack's */
  readonly contexts: readonly string[] | undefined;
  readonly weight: number;
  readonly services: readonly Service[];
}

const stackFile = z.looseObject({
  config: z.record(z.string(), z.unknown()).optional(),
});
const contexts = z.array(z.looseObject({ context: z.string() }));

/**
 * Reads a stack's config file.
 *
 * @returns undefined if it has no configuration yet
 * @throws if its services cannot be read
 */
export function readStackFile(text: string, prefix: string): StackFile | undefined {
  const { config } = stackFile.parse(load(text) ?? {});
  if (config === undefined) return undefined;
  // `pulumi config set` without --path writes lists as text.
  const at = (key: string) => {
    const value = config[`${prefix}:${key}`];
    return typeof value === "string" ? (fromJson(value) ?? value) : value;
  };
  const services = schema.services.safeParse(at("services"));
  if (!services.success) {
    throw new Error(
      `its ${prefix}:services cannot be compared: ${services.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("; ")}`,
    );
  }
  const clusters = contexts.safeParse(at("clusters"));
  return {
    meshStack: at("meshStack"),
    contexts: clusters.success ? clusters.data.map(({ context }) => context) : undefined,
    weight: Number(at("weight") ?? 0),
    services: services.data,
  };
}

/** What the file has chosen where the clusters leave a choice. */
export function chosenIn(file: StackFile | undefined, key: string): Chosen {
  const service = file?.services.find((each) => serviceKey(idOf(each)) === key);
  return { stable: service?.stable.version, canary: service?.canary?.version };
}

/** All that a service's entry says, with what it leaves out. */
function complete(service: Service): Readonly<Record<string, unknown>> {
  return {
    ...service,
    // Says nothing of what requests meet.
    adopt: undefined,
    servicePort: service.servicePort ?? SERVICE_PORT,
    protocol: service.protocol ?? "http",
    morePorts: service.morePorts ?? [],
    versionLabel: service.versionLabel ?? "version",
    serviceAccounts: service.serviceAccounts ?? [service.name],
    ingressHosts: service.ingressHosts ?? [],
  };
}

function entryDifferences(key: string, file: Service, found: Service): readonly string[] {
  const [one, other] = [complete(file), complete(found)];
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((name) =>
    isDeepStrictEqual(one[name], other[name])
      ? []
      : [`${key}: ${name} is ${show(one[name])} in the file, ${show(other[name])} in the clusters`],
  );
}

/**
 * What the clusters have that the file does not say, or says otherwise.
 *
 * @param isAsked whether a service of the file is one that was looked for
 */
export function fileDifferences(
  file: StackFile,
  { mesh, weight, taken, refusals }: FoundStack,
  isAsked: (key: string) => boolean,
): readonly string[] {
  const own = file.services.filter(
    (service) => service.workload === "existing" && isAsked(serviceKey(idOf(service))),
  );
  const found = new Map(
    taken.map((each) => [serviceKey(each), schema.services.parse([each.entry])[0]]),
  );
  const hasCanary = taken.some((each) => each.weight !== undefined);
  const asked = mesh.clusters.map(({ context }) => context);
  return [
    ...(mesh.meshStack !== undefined && file.meshStack !== mesh.meshStack
      ? [`meshStack is ${show(file.meshStack)} in the file, ${show(mesh.meshStack)} was named`]
      : []),
    ...(file.contexts && !isDeepStrictEqual(file.contexts.toSorted(), asked.toSorted())
      ? [`clusters are ${file.contexts.join(", ")} in the file, ${asked.join(", ")} were named`]
      : []),
    ...(hasCanary && file.weight !== weight
      ? [`weight is ${file.weight} in the file, ${weight} in the clusters`]
      : []),
    ...own.flatMap((service) => {
      const key = serviceKey(idOf(service));
      const there = found.get(key);
      if (there) return entryDifferences(key, service, there);
      const reasons = refusals.find((each) => each.key === key)?.reasons;
      return [
        `${key}: is in the file, but ${reasons ? `cannot be taken: ${reasons.join("; ")}` : "no cluster has it"}`,
      ];
    }),
    ...[...found.keys()]
      .filter((key) => !own.some((service) => serviceKey(idOf(service)) === key))
      .map((key) => `${key}: is not in the file`),
  ];
}
