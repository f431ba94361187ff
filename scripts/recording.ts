import * as z from "zod";
import {
  comparable,
  placeOf,
  portable,
  typeOf,
  type Placeholders,
  type RecordedResource,
  type RecordedStack,
} from "./recorded-stack.ts";

const fields = z.record(z.string(), z.unknown());
const exportedResource = z.looseObject({
  urn: z.string(),
  inputs: fields.default({}),
  outputs: fields.default({}),
  parent: z.string().default(""),
  provider: z.string().default(""),
  external: z.boolean().default(false),
});
const exported = z.looseObject({
  deployment: z.looseObject({
    resources: z.array(exportedResource).min(1),
    pending_operations: z
      .array(z.unknown())
      .max(0, "The stack has pending operations. Run pulumi up, and export it again.")
      .optional(),
  }),
});
const stackFile = z.looseObject({ config: fields });
const clustersWithPaths = z.array(z.looseObject({ kubeconfig: z.string().optional() }));
/** Where the config names files of this machine. */
const configWithPaths = z.looseObject({
  kubeconfig: z.string().optional(),
  mesh: z
    .looseObject({ charts: z.looseObject({ directory: z.string().optional() }).optional() })
    .optional(),
  clusters: clustersWithPaths.default([]),
});
/** Where the outputs of a mesh stack do, as the reference of a release stack has them. */
const referenceWithPaths = z.looseObject({
  outputs: z.looseObject({ mesh: z.looseObject({ clusters: clustersWithPaths }) }),
});

const STACK_REFERENCE = "pulumi:pulumi:StackReference";

/** The engine makes default providers itself; programs do not register them. */
function isDefaultProvider(place: string): boolean {
  return /^pulumi:providers:[^:]+::default/.test(place);
}

type Exported = z.infer<typeof exportedResource>;

/** The outputs of a resource that the program reads: addresses of gateways, ends of certificates, another stack's mesh. */
function outputsRead({ urn, external }: Exported): readonly string[] {
  const type = typeOf(placeOf(urn));
  if (type.endsWith(":Certificate")) return ["expires"];
  if (type === STACK_REFERENCE) return ["outputs", "secretOutputNames"];
  return external ? ["status"] : [];
}

function stateOf(resource: Exported, placeholders: Placeholders) {
  const keys = outputsRead(resource);
  const state = Object.fromEntries(keys.map((key) => [key, resource.outputs[key]]));
  return keys.length > 0 && { state: portable(state, placeholders) };
}

function record(resource: Exported, placeholders: Placeholders): RecordedResource {
  const urn = placeOf(resource.urn);
  const provider = placeOf(resource.provider);
  return {
    urn,
    parent: placeOf(resource.parent),
    provider: isDefaultProvider(provider) ? "" : (provider.split("::")[1] ?? ""),
    inputs: comparable(resource.inputs, placeholders, typeOf(urn)),
    ...stateOf(resource, placeholders),
  };
}

function placeholdersOf(
  config: Readonly<Record<string, unknown>>,
  resources: readonly Exported[],
): Placeholders {
  const { kubeconfig, mesh, clusters } = configWithPaths.parse(config);
  const clustersOfOthers = resources
    .filter(({ urn }) => typeOf(placeOf(urn)) === STACK_REFERENCE)
    .flatMap(({ outputs }) => referenceWithPaths.parse(outputs).outputs.mesh.clusters);
  const kubeconfigs = [
    kubeconfig,
    ...[...clusters, ...clustersOfOthers].map((cluster) => cluster.kubeconfig),
  ];
  const directory = mesh?.charts?.directory;
  return {
    ...Object.fromEntries(kubeconfigs.flatMap((file) => (file ? [[file, "kubeconfig"]] : []))),
    ...(directory !== undefined && { [directory]: "charts" }),
  };
}

/**
 * Turns what `pulumi stack export` has written, and the parsed config file of the stack, into a recording without secrets
 * and without paths of this machine.
 *
 * @throws if they are something else, or a stack that cannot be recorded
 */
export function recordingOf(state: unknown, file: unknown): RecordedStack {
  const { resources } = exported.parse(state).deployment;
  const [stack] = resources.filter(({ urn }) => placeOf(urn) === "");
  const project = stack?.urn.split("::")[1];
  if (!stack || project === undefined) throw new Error("The export holds no stack.");
  const prefix = `${project}:`;
  const config = Object.fromEntries(
    Object.entries(stackFile.parse(file).config)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );
  if (JSON.stringify(config).includes('"secure":')) {
    throw new Error("The config holds secrets. Record a stack without them, such as the lab's.");
  }
  const placeholders = placeholdersOf(config, resources);
  return {
    project,
    config: portable(config, placeholders),
    outputs: comparable(stack.outputs, placeholders),
    resources: resources
      .filter(({ urn }) => placeOf(urn) !== "" && !isDefaultProvider(placeOf(urn)))
      .map((resource) => record(resource, placeholders))
      .sort((one, other) => (one.urn < other.urn ? -1 : 1)),
  };
}
