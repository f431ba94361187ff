import { isDeepStrictEqual } from "node:util";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { readNotes, writeNotes } from "../fleet/notes.ts";
import { neededKey, noteOf, type Needed } from "../lib/capacity.ts";
import {
  configuredIn,
  configuredKey,
  failedIn,
  failedKey,
  JOURNAL_FORMAT,
  madeIn,
  retriesIn,
  RETRY_KEY,
  type Configured,
  type Notes,
} from "../lib/journal.ts";
import { configuredFor, type Journals } from "../lib/taken-back.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { madeServices } from "./shared-namespaces.ts";
import { wantedBy } from "./wanted.ts";

type ConfiguredNote = Configured & {
  readonly retries?: true;
  readonly made?: readonly string[];
};

function configuredNote(
  { weight, canaries }: Configured,
  retries: boolean,
  made: readonly string[],
): ConfiguredNote {
  return { weight, canaries, ...(retries && { retries }), ...(made.length > 0 && { made }) };
}

/**
 * What updates note in the journal of every cluster: what they have configured, once it is in force, and which verdicts
 * they override. The program cannot read Pulumi's state, and a weight that is lowered there says nothing of
 * what was configured.
 */
export class UpdateNotes {
  readonly #clusters: readonly ClusterClient[];
  readonly #namespaces: readonly string[];
  readonly #stack: string;
  /** What is noted of configurations, by cluster. */
  readonly #noted = new Map<string, ConfiguredNote | undefined>();
  /** What is noted of canaries that were taken back, by cluster. */
  readonly #failed = new Map<string, Readonly<Record<string, string>>>();
  readonly #unread = new Map<string, string>();

  constructor(
    clusters: readonly ClusterClient[],
    { services }: Pick<ReleaseSettings, "services">,
    stack: string,
  ) {
    this.#clusters = clusters;
    this.#namespaces = [...new Set(services.map(({ namespace }) => namespace))];
    this.#stack = stack;
  }

  /** Why a journal could not be read, by cluster. */
  get unread(): ReadonlyMap<string, string> {
    return this.#unread;
  }

  /** Whether the last complete update has tried a canary again that had been taken back, and every one since was allowed to. */
  get hasRetried(): boolean {
    return [...this.#noted.values()].some((noted) => noted?.retries === true);
  }

  /** Reads the journals of all clusters. One that cannot be read has noted nothing. */
  async read(): Promise<Journals> {
    const found = await Promise.all(
      this.#clusters.map(async (cluster) => {
        const notes = this.#namespaces.map((namespace) =>
          readNotes(cluster, namespace).catch((error: unknown): Notes => {
            this.#unread.set(cluster.name, explain(error));
            return {};
          }),
        );
        return [cluster.name, await Promise.all(notes)] as const;
      }),
    );
    for (const [cluster, notes] of found) {
      const configured = configuredIn(notes, this.#stack);
      const retries = retriesIn(notes, this.#stack);
      const made = madeIn(notes, this.#stack);
      this.#noted.set(cluster, configured && configuredNote(configured, retries, made));
      this.#failed.set(cluster, failedIn(notes, this.#stack));
    }
    return new Map(found);
  }

  /**
   * Notes what is configured, where it is in force and not noted yet.
   *
   * @param retries whether it has used up retry-canary
   * @param inForce whether it is in force in a cluster. @default in all
   * @returns why it could not be noted, by cluster
   */
  async configured(
    settings: ReleaseSettings,
    retries: boolean,
    inForce: (cluster: string) => boolean = () => true,
  ): Promise<ReadonlyMap<string, string>> {
    const wanted = wantedBy(settings);
    const failed = await this.#write(({ name }) => {
      const configured = configuredNote(
        configuredFor(wanted, name),
        retries,
        madeServices(settings),
      );
      const before = this.#noted.get(name);
      const isNothing = before === undefined && Object.keys(configured.canaries).length === 0;
      if (!inForce(name) || isNothing || isDeepStrictEqual(before, configured)) return undefined;
      this.#noted.set(name, configured);
      return [configuredKey(this.#stack), configured];
    });
    for (const cluster of failed.keys()) this.#noted.delete(cluster);
    return failed;
  }

  /**
   * Notes which canaries were taken back, in every cluster that does not say so.
   *
   * @param canaries why each of them was, by its name in the release's
   * @returns why it could not be noted, by cluster
   */
  async failed(canaries: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>> {
    const failed = await this.#write(({ name }) => {
      if (isDeepStrictEqual(canaries, this.#failed.get(name) ?? {})) return undefined;
      this.#failed.set(name, canaries);
      return [failedKey(this.#stack), { canaries }];
    });
    for (const cluster of failed.keys()) this.#failed.delete(cluster);
    return failed;
  }

  /**
   * Has guards forget what they have said, and updates that a canary was taken back.
   *
   * @param forgives by failureId
   * @returns why it could not be noted, by cluster
   */
  async retry(forgives: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const [said, failed] = await Promise.all([
      this.#write(() => [RETRY_KEY, { forgives }]),
      this.failed({}),
    ]);
    return new Map([...failed, ...said]);
  }

  /**
   * Notes how many pods a service needs for all requests.
   *
   * @param needed by cluster
   * @returns why it could not be noted, by cluster
   */
  async needed(
    { name, namespace }: Pick<ServiceSettings, "name" | "namespace">,
    needed: ReadonlyMap<string, Needed>,
  ): Promise<ReadonlyMap<string, string>> {
    return this.#write(
      (cluster) => {
        const found = needed.get(cluster.name);
        return found && [neededKey(name), noteOf(found)];
      },
      [namespace],
    );
  }

  async #write(
    noteFor: (cluster: ClusterClient) => readonly [key: string, value: object] | undefined,
    namespaces: readonly string[] = this.#namespaces,
  ): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>();
    await Promise.all(
      this.#clusters.flatMap((cluster) => {
        const [key, value] = noteFor(cluster) ?? [];
        if (key === undefined) return [];
        return namespaces.map(async (namespace) => {
          try {
            const note = { format: JOURNAL_FORMAT, at: Date.now(), ...value };
            await writeNotes(cluster, namespace, key, { [key]: note });
          } catch (error) {
            failed.set(cluster.name, explain(error));
          }
        });
      }),
    );
    return failed;
  }
}
