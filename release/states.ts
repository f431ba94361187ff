import type { UpdateSummary } from "@pulumi/pulumi/automation/index.js";
import * as z from "zod";
import { RELEASE_KEYS, type ConfigKey } from "../stacks/schema.ts";
import { fromJson } from "../lib/from-json.ts";

/** A service's versions in a state. */
interface StateService {
  readonly service: string;
  readonly stable: string;
  /** @default there was none */
  readonly canary?: string | undefined;
}

/** One update of the stack, as its backend has recorded it. */
export interface State {
  /** Stays the same when later ones are added. */
  readonly number: number;
  readonly time: Date;
  readonly who: string;
  readonly result: string;
  readonly message: string;
  readonly weight: number;
  readonly services: readonly StateService[];
  /** Whether it is the newest update that has succeeded, so that the stack is in this state. */
  readonly inForce: boolean;
  /** The release's keys of its configuration, as text. */
  readonly release: Release;
}

/** Values of the release's keys as Pulumi writes them; those that are not set are left out. */
export type Release = Readonly<Partial<Record<ConfigKey, string>>>;

const version = z.looseObject({ version: z.string() });
const services = z.array(
  z.looseObject({
    name: z.string(),
    namespace: z.string(),
    stable: version,
    canary: version.optional(),
  }),
);

/** The release's keys in the configuration of a project. */
export function releaseOf(
  config: Readonly<Record<string, { readonly value?: string | undefined }>>,
  project: string,
): Release {
  return Object.fromEntries(
    RELEASE_KEYS.flatMap((key) => {
      const value = config[`${project}:${key}`]?.value;
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function who({ environment }: UpdateSummary): string {
  const person = environment["git.author"] ?? environment["git.committer"] ?? "";
  const system = environment["ci.system"];
  return system === undefined ? person : `${person} (${system})`.trim();
}

/**
 * The stack's updates as states, newest first. What else is in the history, such as a refresh, is no
 * state, but is counted: on Pulumi Cloud the numbers are those of its console.
 *
 * @param history everything that the backend has, newest first
 */
export function statesOf(history: readonly UpdateSummary[], project: string): readonly State[] {
  const numbered = history.map((entry, i) => ({
    ...entry,
    number: entry.version > 0 ? entry.version : history.length - i,
  }));
  const changed = numbered.filter(({ kind }) => kind === "update" || kind === "destroy");
  const newest = changed.find(({ result }) => result === "succeeded");
  return changed
    .filter(({ kind }) => kind === "update")
    .map((entry) => {
      const release = releaseOf(entry.config, project);
      const parsed = services.safeParse(fromJson(release.services ?? "[]"));
      return {
        number: entry.number,
        time: entry.startTime,
        who: who(entry),
        result: entry.result,
        message: entry.message,
        weight: Number(release.weight ?? 0),
        services: (parsed.data ?? []).map(({ name, namespace, stable, canary }) => ({
          service: `${namespace}/${name}`,
          stable: stable.version,
          canary: canary?.version,
        })),
        inForce: entry.number === newest?.number,
        release,
      };
    });
}

/** Whether a state is one that a rollback may go to. */
export function isTarget({ result }: State): boolean {
  return result === "succeeded";
}
