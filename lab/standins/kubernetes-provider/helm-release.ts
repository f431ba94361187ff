import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { chartChecksum } from "./chart-checksum.ts";
import type { KubernetesClient } from "./client.ts";
import { driftedInputs } from "./drift.ts";
import { helm, HelmError, helmWithValues, type HelmOptions } from "./helm.ts";
import {
  OWNER_LABEL,
  statusOf,
  templateArguments,
  unsupportedInputs,
  upgradeArguments,
} from "./helm-command.ts";
import { idOf, parseId, type Urn } from "./objects.ts";
import { problemsDuring, releaseProblems } from "./release-problems.ts";
import {
  PartialFailure,
  reachable,
  type CheckRequest,
  type Checked,
  type CreateRequest,
  type DeleteRequest,
  type Difference,
  type ReadRequest,
  type Resource,
  type Session,
  type UpdateRequest,
} from "./resource.ts";
import {
  at,
  fieldsAt,
  hasUnknown,
  isFields,
  plain,
  textAt,
  UNKNOWN,
  withSecretsOf,
  type Fields,
} from "./values.ts";

/** A Helm release (`kubernetes:helm.sh/v3:Release`), kept by the `helm` program. */
export class HelmRelease implements Resource {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async check({ olds, news, proposedName }: CheckRequest): Promise<Checked> {
    const failures = unsupportedInputs(news).map((property) => ({
      property,
      reason: "not supported by the lab's stand-in for the Kubernetes provider",
    }));
    const name = at(news, "name") ?? textAt(olds, "name") ?? proposedName;
    if (name === undefined) {
      failures.push({ property: "name", reason: "automatic names are switched off; set name" });
    }
    const chart = textAt(news, "chart");
    const inputs: Fields = {
      ...news,
      name,
      namespace: at(news, "namespace") ?? this.#session.settings.namespace ?? "default",
      // A chart on disk may change while its path stays the same.
      checksum: chart === undefined ? undefined : await chartChecksum(chart),
    };
    return { inputs, failures };
  }

  replacement(olds: Fields, news: Fields): Difference {
    const replaces = ["name", "namespace"].filter((key) => at(olds, key) !== at(news, key));
    return { replaces, deleteBeforeReplace: false };
  }

  async create({ urn, inputs, preview, timeout }: CreateRequest) {
    const id = idOf({
      namespace: textAt(inputs, "namespace") ?? "",
      name: textAt(inputs, "name") ?? "",
    });
    if (preview) {
      await this.#render(inputs);
      return { id: "", state: { ...inputs, status: UNKNOWN } };
    }
    const there = await this.#metadata(id);
    if (there && fieldsAt(there, "labels")[OWNER_LABEL] !== ownerOf(urn)) {
      throw new Error(`the release ${id} already exists; import it, or uninstall it`);
    }
    return { id, state: await this.#upgrade(urn, id, inputs, timeout) };
  }

  async update({ urn, id, inputs, state, preview, timeout }: UpdateRequest): Promise<Fields> {
    if (!preview) return this.#upgrade(urn, id, inputs, timeout);
    await this.#render(inputs);
    const status = { ...fieldsAt(state, "status") };
    for (const key of ["revision", "status", "chart", "version", "appVersion"]) {
      status[key] = UNKNOWN;
    }
    return { ...inputs, status };
  }

  async read({ id, inputs, state }: ReadRequest) {
    const metadata = await this.#metadata(id);
    if (!metadata) return undefined;
    const status = statusOf(metadata);
    const answer = await helm(
      ["get", "values", parseId(id).name, "--output", "json"],
      this.#options(id),
    );
    const live = (JSON.parse(answer) ?? {}) as Fields;
    const now: Fields =
      Object.keys(inputs).length > 0
        ? this.#drifted(inputs, state, live, status)
        : {
            name: status["name"],
            namespace: status["namespace"],
            chart: status["chart"],
            version: status["version"],
            values: live,
            compat: "true",
          };
    return { inputs: now, state: { ...now, status } };
  }

  async delete({ id, timeout }: DeleteRequest): Promise<void> {
    const { client, settings } = this.#session;
    if (!client && settings.deleteUnreachable) return;
    await helm(
      [
        "uninstall",
        parseId(id).name,
        "--ignore-not-found",
        "--wait",
        "--timeout",
        `${timeout || 300}s`,
      ],
      this.#options(id),
    );
  }

  /** Inputs with the values and the chart version that someone else has given the release. */
  #drifted(inputs: Fields, state: Fields, live: Fields, status: Fields): Fields {
    const result = { ...inputs };
    const given = fieldsAt(inputs, "values");
    const fromFiles = at(inputs, "valueYamlFiles") !== undefined;
    if (!fromFiles && !isDeepStrictEqual(plain(given), live)) {
      const before = plain(fieldsAt(state, "values"));
      const kept = driftedInputs(given, before, live);
      const added = Object.entries(live).filter(([key]) => !(key in given));
      result["values"] = withSecretsOf({ ...kept, ...Object.fromEntries(added) }, given);
    }
    const last = at(state, "status", "version");
    if (last !== undefined && last !== status["version"]) result["version"] = status["version"];
    return result;
  }

  /** Renders the chart, so that an error in the chart or its values shows in the preview. */
  async #render(inputs: Fields): Promise<void> {
    if (hasUnknown(inputs) || !this.#session.client) return;
    const namespace = textAt(inputs, "namespace") ?? "default";
    await helmWithValues(inputs, (files) => templateArguments(plain(inputs), files), {
      ...this.#options(idOf({ namespace, name: "" })),
      namespace,
    });
  }

  async #upgrade(urn: Urn, id: string, inputs: Fields, timeout: number): Promise<Fields> {
    const client = reachable(this.#session);
    const { namespace, name } = parseId(id);
    await this.#forgetInterrupted(client, urn, namespace, name);
    const { signal, tell } = this.#session;
    const running = helmWithValues(
      inputs,
      (files) => upgradeArguments(plain(inputs), files, ownerOf(urn), timeout),
      this.#options(id),
    );
    const problems = await problemsDuring(
      running,
      async () => releaseProblems(client, namespace, name),
      (seen) => {
        tell(urn, "info", seen.join("; "));
      },
    );
    try {
      await running;
    } catch (error) {
      if (!(error instanceof HelmError)) throw error;
      const found = await this.#metadataAfter(id);
      const now = signal.aborted ? [] : await releaseProblems(client, namespace, name);
      const reasons = now.length > 0 || signal.aborted ? now : problems;
      const message = [`helm: ${error.message}`, ...reasons].join("\n");
      if (!found) throw new Error(message, { cause: error });
      throw new PartialFailure(message, id, { ...inputs, status: statusOf(found) }, inputs);
    }
    const metadata = await this.#metadata(id);
    return { ...inputs, status: metadata ? statusOf(metadata) : {} };
  }

  /**
   * Removes the record of an installation or upgrade that never ended, because helm refuses to go on
   * from it. The engine's lock on the stack makes sure that none is under way; what the interrupted
   * run has created keeps helm's marks and is taken over.
   */
  async #forgetInterrupted(
    client: KubernetesClient,
    urn: Urn,
    namespace: string,
    name: string,
  ): Promise<void> {
    if (
      !(await client.find({ apiVersion: "v1", kind: "Namespace", namespace: "", name: namespace }))
    )
      return;
    const records = await client.list(
      { apiVersion: "v1", kind: "Secret", namespace },
      {
        labelSelector:
          `owner=helm,name=${name},` +
          "status in (pending-install,pending-upgrade,pending-rollback)",
      },
    );
    for (const record of records) {
      const secret = textAt(record, "metadata", "name") ?? "";
      this.#session.tell(urn, "warning", `taking over from an interrupted run of helm (${secret})`);
      const path = `/api/v1/namespaces/${namespace}/secrets/${secret}`;
      await client.json("DELETE", path);
    }
  }

  /** The release as helm knows it, or undefined if there is none. */
  async #metadata(id: string): Promise<Fields | undefined> {
    const { name } = parseId(id);
    try {
      const text = await helm(["get", "metadata", name, "--output", "json"], this.#options(id));
      const metadata: unknown = JSON.parse(text);
      return isFields(metadata as Fields) ? (metadata as Fields) : undefined;
    } catch (error) {
      if (error instanceof HelmError && error.message.includes("release: not found"))
        return undefined;
      throw error;
    }
  }

  /** The release after a failure, also after one that was caused by cancelling. */
  async #metadataAfter(id: string): Promise<Fields | undefined> {
    const { signal } = new AbortController();
    const text = await helm(["get", "metadata", parseId(id).name, "--output", "json"], {
      ...this.#options(id),
      signal,
    }).catch((error: unknown) => {
      if (error instanceof HelmError) return undefined;
      throw error;
    });
    return text === undefined ? undefined : (JSON.parse(text) as Fields);
  }

  #options(id: string): HelmOptions {
    const { connection } = reachable(this.#session);
    return { connection, namespace: parseId(id).namespace, signal: this.#session.signal };
  }
}

/** What marks a release as this resource's own: its label, which must be short. */
function ownerOf(urn: Urn): string {
  return createHash("sha256").update(urn.text).digest("hex").slice(0, 16);
}
