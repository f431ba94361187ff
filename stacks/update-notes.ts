import { isDeepStrictEqual } from "node:util";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { readNotes, writeNotes } from "../fleet/notes.ts";
import { neededKey, noteOf, type Needed } from "../lib/capacity.ts";
import {
  configuredIn,
  configuredKey,
  JOURNAL_FORMAT,
  RETRY_KEY,
  type Configured,
  type Notes,
} from "../lib/journal.ts";
import { configuredFor, type Journals } from "../lib/taken-back.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { wantedBy } from "./wanted.ts";

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
  readonly #noted = new Map<string, Configured | undefined>();
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
      this.#noted.set(cluster, configuredIn(notes, this.#stack));
    }
    return new Map(found);
  }

  /**
   * Notes what is configured, where it is in force and not noted yet.
   *
   * @param inForce whether it is in force in a cluster. @default in all
   * @returns why it could not be noted, by cluster
   */
  async configured(
    settings: ReleaseSettings,
    inForce: (cluster: string) => boolean = () => true,
  ): Promise<ReadonlyMap<string, string>> {
    const wanted = wantedBy(settings);
    const failed = await this.#write(({ name }) => {
      const configured = configuredFor(wanted, name);
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
   * Has guards forget what they have said.
   *
   * @param forgives by failureId
   * @returns why it could not be noted, by cluster
   */
  async retry(forgives: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#write(() => [RETRY_KEY, { forgives }]);
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
