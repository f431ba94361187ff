import { isDeepStrictEqual } from "node:util";
import { driftedInputs } from "./drift.ts";
import { helm, HelmError, helmWithValues, type HelmOptions } from "./helm.ts";
import {
  releaseArguments,
  statusOf,
  templateArguments,
  unsupportedInputs,
  type HelmOperation,
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

/**
 * A Helm release (`kubernetes:helm.sh/v3:Release`), kept by the `helm` program. As with the official provider, what a
 * helm that was killed has recorded stays, and helm refuses to go on from it.
 */
export class HelmRelease implements Resource {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  check({ olds, news, proposedName }: CheckRequest): Promise<Checked> {
    const failures = unsupportedInputs(news).map((property) => ({
      property,
      reason: "not supported by the lab's stand-in for the Kubernetes provider",
    }));
    const name = at(news, "name") ?? textAt(olds, "name") ?? proposedName;
    if (name === undefined) {
      failures.push({ property: "name", reason: "automatic names are switched off; set name" });
    }
    const inputs: Fields = {
      ...news,
      name,
      namespace: at(news, "namespace") ?? this.#session.settings.namespace ?? "default",
    };
    return Promise.resolve({ inputs, failures });
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
    return { id, state: await this.#run("install", urn, id, inputs, timeout) };
  }

  async update({ urn, id, inputs, state, preview, timeout }: UpdateRequest): Promise<Fields> {
    if (!preview) return this.#run("upgrade", urn, id, inputs, timeout);
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

  async #run(
    operation: HelmOperation,
    urn: Urn,
    id: string,
    inputs: Fields,
    timeout: number,
  ): Promise<Fields> {
    const client = reachable(this.#session);
    const { namespace, name } = parseId(id);
    const before = await this.#metadata(id);
    const { signal, tell } = this.#session;
    const running = helmWithValues(
      inputs,
      (files) => releaseArguments(operation, plain(inputs), files, timeout),
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
      // As in the official provider: what has not begun leaves the state as it is.
      if (!found || found["revision"] === before?.["revision"]) {
        throw new Error(`helm: ${error.message}`, { cause: error });
      }
      const now = signal.aborted ? [] : await releaseProblems(client, namespace, name);
      const reasons = now.length > 0 || signal.aborted ? now : problems;
      const message = [`helm: ${error.message}`, ...reasons].join("\n");
      throw new PartialFailure(message, id, { ...inputs, status: statusOf(found) }, inputs);
    }
    const metadata = await this.#metadata(id);
    return { ...inputs, status: metadata ? statusOf(metadata) : {} };
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
