// Records a stack for the upgrade test, from what `pulumi stack export` has written and the stack's config file:
//   npm run record-stack -- <export.json> <Pulumi.stack.yaml>
// The recording is named after the version in package.json. It holds no secrets and no paths of this machine.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { load } from "js-yaml";
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
    pending_operations: z.array(z.unknown()).max(0).optional(),
  }),
});
const stackFile = z.looseObject({ config: fields });
/** Where the config names files of this machine. */
const configWithPaths = z.looseObject({
  kubeconfig: z.string().optional(),
  mesh: z.looseObject({
    charts: z.looseObject({ directory: z.string().optional() }).optional(),
  }),
  clusters: z.array(z.looseObject({ kubeconfig: z.string().optional() })),
});

/** The engine makes default providers itself; programs do not register them. */
function isDefaultProvider(place: string): boolean {
  return /^pulumi:providers:[^:]+::default/.test(place);
}

/** What the program reads of a resource: addresses of gateways, ends of certificates. */
function stateOf({ urn, outputs, external }: z.infer<typeof exportedResource>) {
  const keys = typeOf(placeOf(urn)).endsWith(":Certificate")
    ? ["expires"]
    : external
      ? ["status"]
      : [];
  const state = Object.fromEntries(keys.map((key) => [key, outputs[key]]));
  return keys.length > 0 && { state };
}

function record(
  resource: z.infer<typeof exportedResource>,
  placeholders: Placeholders,
): RecordedResource {
  const urn = placeOf(resource.urn);
  const provider = placeOf(resource.provider);
  return {
    urn,
    parent: placeOf(resource.parent),
    provider: isDefaultProvider(provider) ? "" : (provider.split("::")[1] ?? ""),
    inputs: comparable(resource.inputs, placeholders, typeOf(urn)),
    ...stateOf(resource),
  };
}

function placeholdersOf(config: Readonly<Record<string, unknown>>): Placeholders {
  const { kubeconfig, mesh, clusters } = configWithPaths.parse(config);
  const kubeconfigs = [kubeconfig, ...clusters.map((cluster) => cluster.kubeconfig)];
  const directory = mesh.charts?.directory;
  return {
    ...Object.fromEntries(kubeconfigs.flatMap((file) => (file ? [[file, "kubeconfig"]] : []))),
    ...(directory !== undefined && { [directory]: "charts" }),
  };
}

function recordingOf(state: unknown, file: unknown): RecordedStack {
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
    throw new Error("The config holds secrets. Record a stack without them: a lab's has none.");
  }
  const placeholders = placeholdersOf(config);
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

const { positionals } = parseArgs({ allowPositionals: true });
const [stateFile, configFile] = positionals;
if (stateFile === undefined || configFile === undefined) {
  throw new Error("Usage: npm run record-stack -- <export.json> <Pulumi.stack.yaml>");
}
const root = path.dirname(import.meta.dirname);
const { version } = z
  .looseObject({ version: z.string() })
  .parse(JSON.parse(await readFile(path.join(root, "package.json"), "utf8")));
const recording = recordingOf(
  JSON.parse(await readFile(stateFile, "utf8")),
  load(await readFile(configFile, "utf8")),
);
const folder = path.join(root, "test/unit/upgrade/stacks", version);
await mkdir(folder, { recursive: true });
await writeFile(path.join(folder, "stack.json"), `${JSON.stringify(recording, null, 2)}\n`);
// A new recording has no changes yet; those that are written down belong to the one they were found against.
await writeFile(path.join(folder, "changes.json"), "[]\n");
console.log(`wrote ${path.relative(root, folder)}: ${recording.resources.length} resources`);
