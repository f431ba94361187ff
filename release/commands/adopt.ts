import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { explain } from "../../fleet/explain.ts";
import { findServices, identityOf, type FoundService } from "../../fleet/find-services.ts";
import { serviceKey } from "../../lib/names.ts";
import { checked } from "../adopt/check.ts";
import { chosenIn, fileDifferences, readStackFile, type StackFile } from "../adopt/compare.ts";
import { inOneStack, proposed, type Proposal, type Refusal } from "../adopt/proposal.ts";
import { refusalLines, stackText, type FoundStack } from "../adopt/stack-text.ts";

export interface AdoptOptions {
  /** Contexts of the kubeconfig, one for each cluster. */
  readonly context: readonly string[];
  /** Path of the kubeconfig. @default the files kubectl reads */
  readonly kubeconfig?: string;
  /** Only services of these namespaces. @default all but the system's */
  readonly namespace?: readonly string[];
  /** Only these services, as `namespace/name`. @default all */
  readonly service?: readonly string[];
  /** The stack whose config file is written. */
  readonly stack: string;
  /** Full name of the stack that has installed the mesh. @default others have installed Istio */
  readonly meshStack?: string;
  /** Folder of the config file. @default the project's */
  readonly dir?: string;
}

/** The project's name, which all keys of its config begin with. */
const PROJECT = "istio-canary";

/** Exit code where a config file and the clusters differ. */
const DIFFERS = 2;

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;

/** A cluster by its name in the mesh, and what it has. */
interface Found {
  readonly cluster: ClusterClient;
  readonly context: string;
  readonly domain: string;
  readonly services: readonly FoundService[];
}

async function findIn(
  context: string,
  { kubeconfig, namespace, service = [] }: AdoptOptions,
): Promise<Found> {
  const access = { context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS };
  const namespaces = namespace ?? [...new Set(service.map((key) => key.split("/")[0] ?? ""))];
  try {
    const unnamed = new ClusterClient({ name: context, ...access });
    const [{ name = context, domain }, services] = await Promise.all([
      identityOf(unnamed),
      findServices(unnamed, namespaces),
    ]);
    return {
      cluster: new ClusterClient({ name, ...access }),
      ...{ context, domain },
      services: services.filter(
        (each) => service.length === 0 || service.includes(serviceKey(each)),
      ),
    };
  } catch (error) {
    throw new Error(`Nothing was written: context ${context} cannot be read: ${explain(error)}`, {
      cause: error,
    });
  }
}

/** What the config of all services is that the clusters have, and which ones it cannot have. */
async function find(options: AdoptOptions, file: StackFile | undefined): Promise<FoundStack> {
  const { meshStack, kubeconfig } = options;
  const found: Found[] = await Promise.all(
    options.context.map(async (context) => findIn(context, options)),
  );
  const all = Map.groupBy(
    found.flatMap(({ services }) => services),
    serviceKey,
  );
  const proposals: Proposal[] = [];
  const refusals: Refusal[] = [];
  for (const [key, own] of [...all].sort(([one], [other]) => one.localeCompare(other))) {
    const [first] = own;
    if (!first) continue;
    const { service, namespace } = first;
    const proposal = proposed({ service, namespace }, own, chosenIn(file, key));
    if ("reasons" in proposal) refusals.push(proposal);
    else proposals.push(proposal);
  }
  const one = inOneStack(proposals);
  const result = await checked(
    one,
    found.map(({ cluster }) => cluster),
    found[0]?.domain ?? "cluster.local",
  );
  return {
    mesh: {
      meshStack,
      clusters: found.map(({ cluster: { name }, context }) => ({
        ...{ name, context },
        ...(kubeconfig !== undefined && { kubeconfig }),
      })),
      gateway: result.taken.some(({ gateways }) => gateways.length > 0) ? one.gateway : undefined,
      hosts: result.taken.flatMap(({ entry }) => entry.ingressHosts),
    },
    weight: one.weight,
    taken: result.taken,
    refusals: [...refusals, ...one.refusals, ...result.refusals].toSorted((a, b) =>
      a.key.localeCompare(b.key),
    ),
    warnings: result.warnings,
  };
}

/** How the command was called, as a person would write it again. */
function commandText({ context, namespace = [], service = [], stack, meshStack }: AdoptOptions) {
  return [
    "npm run release -- adopt",
    ...context.map((each) => `--context ${each}`),
    ...namespace.map((each) => `--namespace ${each}`),
    ...service.map((each) => `--service ${each}`),
    `--stack ${stack}`,
    ...(meshStack === undefined ? [] : [`--mesh-stack ${meshStack}`]),
  ].join(" ");
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function takenText({ taken, weight, refusals }: FoundStack): string {
  return [
    ...taken.map((each) => {
      const { stable, canary } = each.entry;
      const to = canary
        ? `${stable.version}, and ${canary.version} with ${weight} %`
        : "all its pods";
      return ` - ${serviceKey(each)}: requests go to ${to}, as they do now`;
    }),
    ...(refusals.length === 0
      ? []
      : [
          `Not taken: ${refusals.length}`,
          ...refusals.flatMap(refusalLines).map((line) => `  ${line}`),
        ]),
  ].join("\n");
}

/**
 * Finds the services that others have made in all clusters, and writes the config file of a stack that takes them over.
 * The clusters are only read. A file that is there is not written: what differs from it is printed, and the exit code
 * tells (2).
 *
 * @throws if a cluster cannot be read, or no service can be taken; nothing was written then
 */
export async function adopt(options: AdoptOptions): Promise<void> {
  const { stack, service, namespace, context } = options;
  const { dir = path.dirname(path.dirname(import.meta.dirname)) } = options;
  if (new Set(context).size < 2) {
    throw new Error(
      "Name the contexts of at least two clusters: --context A --context B. The services must be the same in all of them.",
    );
  }
  const name = `Pulumi.${stack.split("/").at(-1) ?? ""}.yaml`;
  const at = path.join(dir, name);
  const before = await readIfThere(at);
  const file = before === undefined ? undefined : readStackFile(before, PROJECT);
  const found = await find(options, file);
  if (file) {
    const isAsked = (key: string) =>
      (service === undefined || service.includes(key)) &&
      (namespace === undefined || namespace.includes(key.split("/")[0] ?? ""));
    const differences = fileDifferences(file, found, isAsked);
    if (differences.length === 0) {
      console.log(`${name} says what the clusters have: ${found.taken.length} services.`);
      return;
    }
    process.exitCode = DIFFERS;
    console.log(
      [
        `${name} is there already, and stays as it is. It differs from what the clusters have:`,
        ...differences.map((each) => ` - ${each}`),
        "Change it by hand, or move it away and run this command again.",
      ].join("\n"),
    );
    return;
  }
  if (found.taken.length === 0) {
    throw new Error(
      [
        `No service can be taken, so ${name} was not written.`,
        ...found.refusals.flatMap(refusalLines),
      ].join("\n"),
    );
  }
  await writeFile(at, stackText(found, PROJECT, commandText(options), before), {
    // Somebody may have made one meanwhile. What is there without a configuration is kept in the text.
    flag: before === undefined ? "wx" : "w",
  });
  console.log(
    [
      `${name} is written; nothing else has changed. It takes ${found.taken.length} services:`,
      takenText(found),
      `Next: pulumi stack init ${stack}, pulumi preview --stack ${stack}, pulumi up --stack ${stack}`,
    ].join("\n"),
  );
}
