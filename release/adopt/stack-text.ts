import { dump } from "js-yaml";
import { serviceKey } from "../../lib/names.ts";
import { phasesWith } from "./check.ts";
import type { Proposal, Refusal } from "./proposal.ts";

/** Which mesh the services run in, as the file says it. */
interface MeshOfServices {
  /** Full name of the stack that has installed it. @default others have installed Istio */
  readonly meshStack?: string | undefined;
  readonly clusters: readonly {
    readonly name: string;
    readonly context: string;
    readonly kubeconfig?: string | undefined;
  }[];
  /** The Gateway object that leads to services, as `namespace/name`. @default none does */
  readonly gateway?: string | undefined;
  /** Its hosts that do. */
  readonly hosts: readonly string[];
}

/** What `release adopt` has found. */
export interface FoundStack {
  readonly mesh: MeshOfServices;
  readonly weight: number;
  readonly taken: readonly Proposal[];
  readonly refusals: readonly Refusal[];
  /** What an update would warn of, by `namespace/name`. */
  readonly warnings: ReadonlyMap<string, readonly string[]>;
}

/** The configuration's keys about the mesh and its clusters. */
function meshKeys({ meshStack, clusters, gateway, hosts }: MeshOfServices) {
  return meshStack === undefined
    ? {
        mesh: { istio: "existing" },
        clusters,
        ...(gateway !== undefined && { ingress: { gateway, hosts } }),
      }
    : { meshStack };
}

function indented(text: string, by: number): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, " ".repeat(by));
}

function yaml(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true, flowLevel: 3 });
}

/**
 * Lines of a comment; a reason is one line, however long. What it quotes of objects of others must not end it: YAML takes
 * more than one character for the end of a line.
 */
function comment(lines: readonly string[]): string {
  return lines
    .map((line) => `# ${line.replaceAll(/\s*[\p{Cc}\u2028\u2029]+\s*/gu, " ")}\n`)
    .join("");
}

function serviceText(proposal: Proposal, warnings: readonly string[]): string {
  const { entry, versions } = proposal;
  const others = versions.filter(
    (version) => ![entry.stable.version, entry.canary?.version].includes(version),
  );
  const about = [
    entry.canary
      ? `${serviceKey(proposal)}: requests go to ${entry.stable.version} and ${entry.canary.version} by weight.`
      : `${serviceKey(proposal)}: requests go to all its pods, whatever their version.`,
    ...(others.length === 0
      ? []
      : [
          entry.canary
            ? `There are also pods of ${others.join(", ")}, which get no request.`
            : `There are also pods of ${others.join(", ")}: from the first canary on, stable gets all that it does not.`,
        ]),
    ...warnings,
  ];
  return `${indented(comment(about), 4)}\n${indented(yaml([entry]), 4)}\n`;
}

/** A service that is not taken, on lines of its own for each reason. */
export function refusalLines({ key, reasons }: Refusal): readonly string[] {
  return [`${key}:`, ...reasons.map((reason) => `  - ${reason}`)];
}

/**
 * The stack's config file.
 *
 * @param prefix of the configuration's keys: the project's name
 * @param command the command that has found it
 * @param before lines of the file that stay, such as the salt of its secrets. @default none
 */
export function stackText(
  { mesh, weight, taken, refusals, warnings }: FoundStack,
  prefix: string,
  command: string,
  before = "",
): string {
  const top = (values: Readonly<Record<string, unknown>>) =>
    `${indented(yaml(Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}:${key}`, value]))), 2)}\n`;
  return [
    "# yaml-language-server: $schema=./schema/stack.schema.json\n",
    comment([
      `What ${command} has found. Run it again to see what has changed since.`,
      "It has changed nothing: pulumi preview checks it once more, pulumi up adopts (docs/existing-services.md).",
    ]),
    before === "" ? "" : `${before.trimEnd()}\n`,
    "config:\n",
    top(meshKeys(mesh)),
    taken.length === 0 ? "" : `  ${prefix}:services:\n`,
    ...taken.map((each) => serviceText(each, warnings.get(serviceKey(each)) ?? [])),
    top({ phases: phasesWith(weight), weight }),
    refusals.length === 0
      ? ""
      : comment(["", "Not taken:", ...refusals.flatMap(refusalLines)]).replace("# \n", "\n"),
  ].join("");
}
