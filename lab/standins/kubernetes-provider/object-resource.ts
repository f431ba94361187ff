import { awaitGone, awaitReady, NotReadyError, skipsEnd } from "./await-ready.ts";
import { ApiError, isNotFound } from "./client.ts";
import { replacedBy, samePlace, type Changes } from "./diff.ts";
import { driftedInputs } from "./drift.ts";
import {
  annotation,
  fieldManagerOf,
  idOf,
  kindOf,
  parseId,
  previewOfCreation,
  referenceTo,
  stateOf,
  toSdkKeys,
  toServerKeys,
  withoutServerFields,
  withSecrets,
  type Urn,
} from "./objects.ts";
import {
  PartialFailure,
  reachable,
  type CheckFailure,
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
  MISSING_FOR,
  PUT_OFF_FOR,
  putOff,
  putOffOrMissing,
  retrying,
  type RetryOptions,
} from "./retry.ts";
import { fieldsAt, hasUnknown, plain, reveal, textAt, UNKNOWN, type Fields } from "./values.ts";

const AUTONAMED = "pulumi.com/autonamed";

/** Any object of the Kubernetes API, kept as it is declared by server-side apply. */
export class ObjectResource implements Resource {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async check({ urn, olds, news, proposedName }: CheckRequest): Promise<Checked> {
    const failures: CheckFailure[] = [];
    const kind = kindOf(urn.type);
    const metadata = { ...fieldsAt(withoutServerFields(news), "metadata") };
    if (metadata["name"] === undefined || metadata["name"] === "") {
      const old = annotation(olds, AUTONAMED) && textAt(olds, "metadata", "name");
      const name = old ?? proposedName;
      if (name === undefined) {
        failures.push({
          property: "metadata.name",
          reason: "automatic names are switched off; set metadata.name",
        });
      }
      metadata["name"] = name;
      metadata["annotations"] = { ...fieldsAt(metadata, "annotations"), [AUTONAMED]: "true" };
    }
    const inputs: Fields = {
      ...news,
      apiVersion: textAt(news, "apiVersion")?.replace(/^core\//, "") ?? kind.apiVersion,
      kind: textAt(news, "kind") ?? kind.kind,
      metadata,
    };
    delete inputs["status"];
    if (metadata["namespace"] === undefined || metadata["namespace"] === "") {
      delete metadata["namespace"];
      const { client, settings } = this.#session;
      const resource = await client?.resource(referenceTo(inputs));
      // Of a kind that does not exist yet only the configured default can be meant.
      if (resource ? resource.namespaced : settings.namespace !== undefined) {
        metadata["namespace"] = settings.namespace ?? "default";
      }
    }
    return { inputs: withSecrets(inputs, news), failures };
  }

  replacement(olds: Fields, news: Fields, changed: Changes): Difference {
    const replaces = replacedBy(changed, news, this.#session.settings.mutability);
    const renamed = annotation(news, AUTONAMED) === "true";
    return {
      replaces,
      deleteBeforeReplace: replaces.length > 0 && !renamed && samePlace(olds, news),
    };
  }

  async create({ urn, inputs, preview, timeout }: CreateRequest) {
    if (preview) return { id: "", state: await this.#previewCreation(urn, inputs) };
    const object = toServerKeys(plain(inputs));
    const manager = fieldManagerOf(urn);
    await this.#makeWay(object);
    const live = await this.#apply(urn, object, manager, { dryRun: false, creates: true });
    const id = idOf(referenceTo(live));
    return { id, state: await this.#awaited(urn, live, inputs, manager, id, timeout) };
  }

  async update({ urn, id, inputs, state, preview, timeout }: UpdateRequest): Promise<Fields> {
    const manager = textAt(state, "__fieldManager") ?? fieldManagerOf(urn);
    if (preview && (hasUnknown(inputs) || !this.#session.client)) return inputs;
    const object = toServerKeys(plain(inputs));
    // An apply would make it anew, which the official provider does not (Update in pkg/await/await.go).
    await reachable(this.#session).get(referenceTo(object));
    if (!preview) {
      const live = await this.#updated(urn, object, inputs, manager, id);
      return this.#awaited(urn, live, inputs, manager, id, timeout);
    }
    try {
      const live = await this.#apply(urn, object, manager, { dryRun: true });
      const metadata = { ...fieldsAt(live, "metadata") };
      for (const key of ["generation", "resourceVersion"]) metadata[key] = UNKNOWN;
      return stateOf({ ...live, metadata }, inputs, manager);
    } catch (error) {
      if (this.#cannotTell(urn, error)) return inputs;
      throw error;
    }
  }

  /** The object as it was written. If that was refused, the state gets the new inputs all the same, as the official one's. */
  async #updated(
    urn: Urn,
    object: Fields,
    inputs: Fields,
    manager: string,
    id: string,
  ): Promise<Fields> {
    try {
      return await this.#apply(urn, object, manager, { dryRun: false });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const live = await reachable(this.#session)
        .find(referenceTo(object))
        .catch((): undefined => undefined);
      if (!live) throw error;
      throw new PartialFailure(error.message, id, stateOf(live, inputs, manager), inputs);
    }
  }

  async read({ urn, id, inputs, state }: ReadRequest) {
    const kind = kindOf(urn.type);
    const client = reachable(this.#session);
    const reference = {
      apiVersion: textAt(inputs, "apiVersion") ?? textAt(state, "apiVersion") ?? kind.apiVersion,
      kind: textAt(inputs, "kind") ?? kind.kind,
      ...parseId(id),
    };
    let live = await client.find(reference);
    if (live === undefined) return undefined;
    const manager = textAt(state, "__fieldManager") ?? fieldManagerOf(urn);
    if (Object.keys(inputs).length > 0) {
      const now = driftedInputs(inputs, state, toSdkKeys(live));
      return { inputs: withSecrets(now, inputs), state: stateOf(live, now, manager) };
    }
    // Imported or looked up: a load balancer's address is mostly what it is looked up for.
    if (kind.kind === "Service") live = await this.#readyService(urn, live);
    const found = toSdkKeys(withoutServerFields(live));
    const marked = withSecrets(found, {});
    return { inputs: marked, state: stateOf(live, marked, manager) };
  }

  async delete({ urn, id, state, timeout }: DeleteRequest): Promise<void> {
    const { client, settings, signal } = this.#session;
    if (!client && settings.deleteUnreachable) return;
    const kind = kindOf(urn.type);
    const object = {
      ...plain(state),
      apiVersion: textAt(state, "apiVersion") ?? kind.apiVersion,
      kind: textAt(state, "kind") ?? kind.kind,
      metadata: { ...fieldsAt(plain(state), "metadata"), ...parseId(id) },
    };
    const query = { propagationPolicy: propagationOf(object) };
    try {
      const path = await reachable(this.#session).pathOf(referenceTo(object));
      await this.#putOff(urn, async () => reachable(this.#session).json("DELETE", path, { query }));
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    if (skipsEnd(object)) return;
    await awaitGone(object, {
      client: reachable(this.#session),
      timeout,
      signal,
      tell: (message) => {
        this.#session.tell(urn, "info", message);
      },
    });
  }

  /** A dry run by the API server, so that its validation and its webhooks speak up in the preview. */
  async #previewCreation(urn: Urn, inputs: Fields): Promise<Fields> {
    const { client, settings } = this.#session;
    if (hasUnknown(inputs) || !client) return previewOfCreation(inputs, inputs);
    const object = toServerKeys(plain(inputs));
    const manager = fieldManagerOf(urn);
    try {
      // It may be gone by then, as its own predecessor will be; the official provider says nothing of it either.
      const existing = await client.find(referenceTo(object));
      if (existing && !settings.upsertExistingObjects) return previewOfCreation(inputs, inputs);
      const live = await this.#apply(urn, object, manager, { dryRun: true });
      return previewOfCreation(stateOf(live, inputs, manager), inputs);
    } catch (error) {
      if (this.#cannotTell(urn, error)) return previewOfCreation(inputs, inputs);
      throw error;
    }
  }

  /** Whether a dry run failed for a reason that says nothing about the update itself. */
  #cannotTell(urn: Urn, error: unknown): boolean {
    // The namespace or the definition may be created by the same update.
    if (isNotFound(error)) return true;
    const forbidden =
      error instanceof ApiError && error.status === 403 && /User ".*" cannot /.test(error.message);
    if (forbidden) {
      this.#session.tell(urn, "warning", `no dry run by the API server: ${error.message}`);
    }
    return forbidden;
  }

  /** As the official provider since 4.29: whatever has the name is in the way, whoever has made it. */
  async #makeWay(object: Fields): Promise<void> {
    if (this.#session.settings.upsertExistingObjects) return;
    if (await reachable(this.#session).find(referenceTo(object))) throw alreadyExists(object);
  }

  async #apply(
    urn: Urn,
    object: Fields,
    manager: string,
    { dryRun, creates = false }: { dryRun: boolean; creates?: boolean },
  ): Promise<Fields> {
    const { settings, signal } = this.#session;
    const client = reachable(this.#session);
    const path = await client.pathOf(referenceTo(object), creates ? MISSING_FOR : 0, signal);
    const force =
      settings.enablePatchForce || annotation(object, "pulumi.com/patchForce") === "true";
    const write = async () =>
      client.json("PATCH", path, {
        contentType: "application/apply-patch+yaml",
        body: object,
        query: {
          fieldManager: manager,
          fieldValidation: "Strict",
          force: force ? "true" : undefined,
          dryRun: dryRun ? "All" : undefined,
        },
      });
    return creates ? this.#orMissing(urn, write) : this.#putOff(urn, write);
  }

  /** The state once the object is ready; from here on a failure must not lose the object. */
  async #awaited(
    urn: Urn,
    live: Fields,
    inputs: Fields,
    manager: string,
    id: string,
    timeout: number,
  ): Promise<Fields> {
    const { signal, tell } = this.#session;
    try {
      const ready = await awaitReady(live, {
        client: reachable(this.#session),
        timeout,
        signal,
        tell: (message) => {
          tell(urn, "info", message);
        },
      });
      return stateOf(ready, inputs, manager);
    } catch (error) {
      const last = error instanceof NotReadyError ? error.live : live;
      const message = error instanceof Error ? error.message : String(error);
      throw new PartialFailure(message, id, stateOf(last, inputs, manager), inputs);
    }
  }

  async #readyService(urn: Urn, live: Fields): Promise<Fields> {
    if (reveal(fieldsAt(live, "spec")["type"]) !== "LoadBalancer") return live;
    return awaitReady(live, {
      client: reachable(this.#session),
      timeout: 0,
      signal: this.#session.signal,
      tell: (message) => {
        this.#session.tell(urn, "info", message);
      },
    });
  }

  async #putOff<T>(urn: Urn, send: () => Promise<T>): Promise<T> {
    return this.#retrying(urn, send, { forMs: PUT_OFF_FOR, passing: putOff });
  }

  async #orMissing<T>(urn: Urn, send: () => Promise<T>): Promise<T> {
    return this.#retrying(urn, send, { forMs: MISSING_FOR, passing: putOffOrMissing });
  }

  async #retrying<T>(
    urn: Urn,
    send: () => Promise<T>,
    options: Pick<RetryOptions, "forMs" | "passing">,
  ): Promise<T> {
    return retrying(send, {
      ...options,
      signal: this.#session.signal,
      onWait: (reason) => {
        this.#session.tell(urn, "info", reason);
      },
    });
  }
}

/** What becomes of what belongs to an object that is deleted, as DeletionPropagation of the official provider reads it. */
function propagationOf(object: Fields): string {
  const asked = annotation(object, "pulumi.com/deletionPropagationPolicy")?.toLowerCase();
  if (asked === "orphan") return "Orphan";
  return asked === "background" ? "Background" : "Foreground";
}

function alreadyExists(object: Fields): Error {
  const reference = referenceTo(object);
  return new Error(
    `${reference.kind} "${idOf(reference)}" already exists; import it, delete it, ` +
      "or set upsertExistingObjects on the provider (PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true)",
  );
}
