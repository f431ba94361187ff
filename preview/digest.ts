import * as z from "zod";

const properties = z.record(z.string(), z.unknown());

const state = z.object({
  /** Whether a provider manages it; none does for components and the stack. */
  custom: z.boolean().default(false),
  type: z.string(),
  inputs: properties.default({}),
  outputs: properties.default({}),
});

const step = z.object({
  op: z.string(),
  urn: z.string(),
  /** Reference to the provider: its URN and its id. */
  provider: z.string().default(""),
  oldState: state.optional(),
  newState: state.optional(),
  /** Keys of properties that change; all there is where the provider gives no details. */
  diffReasons: z.array(z.string()).nullish(),
  replaceReasons: z.array(z.string()).nullish(),
  /** By property path. */
  detailedDiff: z
    .record(z.string(), z.object({ kind: z.string(), inputDiff: z.boolean().default(false) }))
    .nullish(),
});

const digest = z.object({
  /** Values of the stack's configuration as text, with secrets blinded. */
  config: z.record(z.string(), z.string()).default({}),
  steps: z.array(step).default([]),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).default([]),
  /** How many resources there are by what is done to them; tells of those that stay, where no step does. */
  changeSummary: z.record(z.string(), z.number()).optional(),
});

/** What the engine would do to one resource. */
export type Step = z.output<typeof step>;
/** One side of a step: the resource as it is, or as it would be. */
export type State = z.output<typeof state>;
/** What `pulumi preview --json` prints. */
export type Digest = z.output<typeof digest>;

const NO_PREVIEW =
  "This is not the JSON of a preview: pass what `pulumi preview --json --show-sames` prints on standard output";

/** Type of the step that stands for the stack itself. */
export const STACK_TYPE = "pulumi:pulumi:Stack";
/** Type of what leads to one cluster, named like it. */
export const PROVIDER_TYPE = "pulumi:providers:kubernetes";

/**
 * Reads what `pulumi preview --json` has printed and somebody has stored: every preview has steps, says how many
 * resources stay, or why it failed.
 *
 * @throws if it is none
 */
export function parseStored(text: string): Digest {
  const found = parseDigest(text);
  const { steps, diagnostics, changeSummary } = found;
  if (steps.length > 0 || diagnostics.length > 0 || changeSummary !== undefined) return found;
  throw new Error(NO_PREVIEW);
}

/**
 * Reads what `pulumi preview --json` has printed.
 *
 * @param text its standard output
 */
export function parseDigest(text: string): Digest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(NO_PREVIEW);
  }
  const parsed = digest.safeParse(json);
  if (!parsed.success) {
    throw new Error(
      `This JSON does not come from \`pulumi preview --json\`:\n${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
}

/** Type and name from a URN: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`. */
export function parseUrn(urn: string): { readonly type: string; readonly name: string } {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.split("$").at(-1) ?? "", name: name.join("::") };
}

/** The cluster that a step is about, or undefined where it is about none or about all. */
export function clusterOf({ urn, provider }: Pick<Step, "urn" | "provider">): string | undefined {
  const own = parseUrn(urn);
  if (own.type === PROVIDER_TYPE) return own.name;
  const through = parseUrn(provider.split("::").slice(0, -1).join("::"));
  // The program names its providers after the clusters; Pulumi's own are called default_VERSION.
  return through.type === PROVIDER_TYPE && !through.name.startsWith("default")
    ? through.name
    : undefined;
}

/** A map of properties, or an empty one where there is something else. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

/** A list, or an empty one where there is something else. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** `namespace/name` of a Kubernetes object, or its name where it is in no namespace. */
export function objectName(inputs: Readonly<Record<string, unknown>>): string | undefined {
  // A helm Release has both beside its chart, an object in its metadata.
  const { name, namespace } = "metadata" in inputs ? record(inputs["metadata"]) : inputs;
  if (typeof name !== "string") return undefined;
  return typeof namespace === "string" ? `${namespace}/${name}` : name;
}
