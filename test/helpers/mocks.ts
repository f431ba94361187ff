import { setImmediate } from "node:timers/promises";

import * as pulumi from "@pulumi/pulumi";

/** Turns of the event loop without a request after which a program waits for an answer. */
const QUIET_TURNS = 50;

/** One resource that a program has registered, as the engine would see it. */
export interface Registered {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  /** Name of the explicit provider, or "" for the default one. */
  readonly provider: string;
  /** Name of the parent, or "" for the stack. */
  readonly parent: string;
  readonly parentUrn: string;
  /** Which other URNs it may have in the state. */
  readonly aliases: readonly AliasSpec[];
  /** URNs of everything that must be there first. */
  readonly dependencies: readonly string[];
  /** What was in place when its registration began. */
  readonly inPlace: ReadonlySet<string>;
  /** Inputs whose changes do nothing once the resource is there. */
  readonly ignoreChanges: readonly string[];
  /** Of the provider's package, where the SDK asks for one. @default "" */
  readonly version: string;
  /** Whether a replacement removes the old one first, where the program says so. */
  readonly deleteBeforeReplace: boolean;
}

/** An alias as the program gives it: a whole URN, or what was different before. */
export interface AliasSpec {
  readonly urn: string;
  readonly name: string;
  readonly type: string;
  /** @default the parent that the resource has now */
  readonly parentUrn: string | undefined;
}

interface Alias {
  getUrn(): string;
  getSpec():
    | {
        getName(): string;
        getType(): string;
        getParenturn(): string;
        getNoparent(): boolean;
      }
    | undefined;
}

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProvider(): string;
  getDependenciesList(): string[];
  /** Missing in requests that read. */
  getIgnorechangesList?(): string[];
  getDeletebeforereplace?(): boolean;
  getAliasesList?(): Alias[];
  getVersion(): string;
}

type Method = (
  request: Request,
  callback: (error: Error | null, response?: { getUrn(): string }) => void,
) => unknown;

interface Monitor {
  newUrn: (parent: string, type: string, name: string) => string;
  registerResource: Method;
  readResource: Method;
  registerResourceHook: (request: unknown, callback: (error: Error | null) => void) => void;
}

/** Everything that is registered between `recordProgram` and its `settle`. */
export class Recording {
  readonly resources: Registered[] = [];

  /** Waits until every registration has ended. */
  async settle(): Promise<void> {
    // Not part of the SDK's types, but what it waits for itself before a program ends.
    const runtime = pulumi.runtime as unknown as { waitForRPCs(): Promise<void> };
    await runtime.waitForRPCs();
  }

  ofType(type: string): Registered[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** The resource of this name; the last part of the type tells those that share it. */
  named(name: string, kind = ""): Registered {
    const found = this.resources.filter((r) => r.name === name && r.type.endsWith(kind));
    const [first] = found;
    if (!first || found.length > 1) {
      throw new Error(
        `${found.length} resources ${kind} ${name} among ${this.resources.map((r) => r.name).join(", ")}`,
      );
    }
    return first;
  }

  /** Whether `later` has to wait for `earlier`, directly or over others. */
  waitsFor(later: Registered, earlier: Registered, seen = new Set<string>()): boolean {
    return later.dependencies.some((urn) => {
      if (urn === earlier.urn) {
        return true;
      }
      const between = this.resources.find((resource) => resource.urn === urn);
      if (!between || seen.has(urn)) {
        return false;
      }
      seen.add(urn);
      return this.waitsFor(between, earlier, seen);
    });
  }
}

/** The URN as the engine makes it: Pulumi's mocks know only one parent, and count the stack as one. */
export function urnOf(parentUrn: string, type: string, name: string): string {
  const parents = parentUrn.split("::")[2] ?? "";
  const prefix = ["", "pulumi:pulumi:Stack"].includes(parents) ? "" : `${parents}$`;
  return `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}::${prefix}${type}::${name}`;
}

function aliasSpec(alias: Alias): AliasSpec {
  const spec = alias.getSpec();
  const parentUrn = spec?.getParenturn() ?? "";
  return {
    urn: alias.getUrn(),
    name: spec?.getName() ?? "",
    type: spec?.getType() ?? "",
    parentUrn: parentUrn === "" && spec?.getNoparent() !== true ? undefined : parentUrn,
  };
}

function lastPart(urn: string): string {
  return urn.split("::").at(-1) ?? "";
}

/** Outputs of other stacks, by the stacks' full names. */
export type StackOutputs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What the cluster, or the backend, adds to a resource once it is there. */
function state(
  args: pulumi.runtime.MockResourceArgs,
  stacks: StackOutputs,
): Readonly<Record<string, unknown>> {
  const inputs = args.inputs as Record<string, unknown>;
  if (args.type === "pulumi:pulumi:StackReference") {
    return { ...inputs, outputs: stacks[args.id ?? ""] ?? {}, secretOutputNames: [] };
  }
  if (args.type.endsWith(":Certificate")) {
    return {
      ...inputs,
      certificate: `certificate of ${args.name}\n`,
      privateKey: `key of ${args.name}\n`,
      expires: "2027-01-01T00:00:00.000Z",
    };
  }
  if (args.type === "kubernetes:core/v1:Service" && args.id) {
    const address = args.name.includes("cluster-a") ? "203.0.113.1" : "203.0.113.2";
    return { status: { loadBalancer: { ingress: [{ ip: address }] } } };
  }
  if (inputs["type"] === "kubernetes.io/service-account-token") {
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const data = { token: base64(`token of ${args.name}`), "ca.crt": base64(`CA of ${args.name}`) };
    return { ...inputs, data };
  }
  return inputs;
}

/**
 * Puts a recorder in the engine's place, for one test.
 *
 * @param stacks what references to other stacks find. @default there are none
 * @param isSlow of a resource's name: whether it is made only when the program asks for nothing else. @default none is
 * @param known of a resource's type and name: outputs that it has. @default what tests mostly need
 */
export async function recordProgram(
  stacks: StackOutputs = {},
  isSlow: (name: string) => boolean = () => false,
  known: (type: string, name: string) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<Recording> {
  const recording = new Recording();
  let requests = 0;
  const quiet = async (): Promise<void> => {
    for (let turns = 0, seen = requests; turns < QUIET_TURNS; turns++) {
      await setImmediate();
      if (seen !== requests) [turns, seen] = [0, requests];
    }
  };
  const inputs = new Map<string, Record<string, unknown>>();
  await pulumi.runtime.setMocks(
    {
      call: ({ token, inputs: { name } }) => {
        if (token !== "pulumi:pulumi:readStackOutputs") return {};
        const outputs = stacks[String(name)];
        if (!outputs) throw new Error(`unknown stack "${String(name)}"`);
        return { name: String(name), outputs };
      },
      newResource: async (args) => {
        if (isSlow(args.name)) await quiet();
        inputs.set(`${args.type} ${args.name}`, args.inputs as Record<string, unknown>);
        const existing = args.id === "" ? undefined : args.id;
        return {
          id: existing ?? `id-of-${args.name}`,
          state: { ...state(args, stacks), ...known(args.type, args.name) },
        };
      },
    },
    "istio-canary",
    "test",
    false,
    "organization",
  );
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  monitor.newUrn = urnOf;
  // Pulumi's mocks know no hooks; no resource here is ever updated.
  monitor.registerResourceHook = (_, callback) => {
    callback(null);
  };
  for (const method of ["registerResource", "readResource"] as const) {
    const original = monitor[method].bind(monitor);
    monitor[method] = (request, callback) => {
      requests++;
      const inPlace = new Set(recording.resources.map(({ urn }) => urn));
      return original(request, (error, response) => {
        if (response) {
          const type = request.getType();
          const name = request.getName();
          recording.resources.push({
            urn: response.getUrn(),
            type,
            name,
            inputs: inputs.get(`${type} ${name}`) ?? {},
            provider: lastPart(request.getProvider().split("::").slice(0, -1).join("::")),
            parent: lastPart(request.getParent()),
            parentUrn: request.getParent(),
            aliases: (request.getAliasesList?.() ?? []).map(aliasSpec),
            dependencies: request.getDependenciesList(),
            inPlace,
            version: request.getVersion(),
            ignoreChanges: request.getIgnorechangesList?.() ?? [],
            deleteBeforeReplace: request.getDeletebeforereplace?.() ?? false,
          });
        }
        callback(error, response);
      });
    };
  }
  return recording;
}

/** The value of an output that a mocked resource has given. */
export async function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}

/** The value of a secret input, and the proof that it is one. */
export function secretValue(input: unknown): unknown {
  const secret = input as { "4dabf18193072939515e22adb298388d"?: string; value?: unknown };
  if (secret["4dabf18193072939515e22adb298388d"] !== "1b47061264138c4ac30d75fd1eb44270") {
    throw new Error("the input is no secret");
  }
  return secret.value;
}

/** Configuration as the engine hands it over: text, and JSON for everything that is none. */
export function configure(raw: Readonly<Record<string, unknown>>): void {
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(raw).map(([key, value]) => [
        `istio-canary:${key}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
  );
}
