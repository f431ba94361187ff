/** What a kind of resource must be able to do, free of the wire format. */
import type { KubernetesClient } from "./client.ts";
import type { Mutability } from "./diff.ts";
import type { Urn } from "./objects.ts";
import type { Fields } from "./values.ts";

/** The provider's settings, as `new k8s.Provider(name, {…})` gives them. */
export interface Settings {
  readonly namespace: string | undefined;
  readonly mutability: Mutability;
  readonly enablePatchForce: boolean;
  readonly upsertExistingObjects: boolean;
  readonly deleteUnreachable: boolean;
}

/** One configured provider: a cluster and the settings for it. */
export interface Session {
  readonly settings: Settings;
  /** Undefined while the cluster cannot be reached, or is not known yet; `unreachable` tells why. */
  readonly client: KubernetesClient | undefined;
  readonly unreachable: string;
  /** Aborted when the user cancels the update. */
  readonly signal: AbortSignal;
  /** Shows a message beside a resource; `info` only until the next one, `warning` to stay. */
  readonly tell: (urn: Urn, severity: "info" | "warning", message: string) => void;
}

/** The session's client; fails with the reason if there is none. */
export function reachable(session: Session): KubernetesClient {
  if (!session.client) {
    throw new Error(`the configured Kubernetes cluster is unreachable: ${session.unreachable}`);
  }
  return session.client;
}

export interface CheckRequest {
  readonly urn: Urn;
  readonly olds: Fields;
  readonly news: Fields;
  /** A name made up for a resource that gives none; the same in preview and update. */
  readonly proposedName: string | undefined;
}

export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

export interface Checked {
  readonly inputs: Fields;
  readonly failures: readonly CheckFailure[];
}

export interface Difference {
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

export interface CreateRequest {
  readonly urn: Urn;
  readonly inputs: Fields;
  readonly preview: boolean;
  /** The resource's `customTimeouts`, in seconds; 0 for none. */
  readonly timeout: number;
}

export interface UpdateRequest extends CreateRequest {
  readonly id: string;
  readonly state: Fields;
}

export interface ReadRequest {
  readonly urn: Urn;
  readonly id: string;
  /** Inputs and outputs in the state; both empty for an import or a `get`. */
  readonly inputs: Fields;
  readonly state: Fields;
}

export interface DeleteRequest {
  readonly urn: Urn;
  readonly id: string;
  readonly state: Fields;
  readonly timeout: number;
}

export interface Resource {
  check(request: CheckRequest): Promise<Checked>;
  /** @param changed the paths that differ between the old and the new inputs */
  replacement(olds: Fields, news: Fields, changed: ReadonlyMap<string, unknown>): Difference;
  create(request: CreateRequest): Promise<{ readonly id: string; readonly state: Fields }>;
  update(request: UpdateRequest): Promise<Fields>;
  /** Undefined if the resource is gone. */
  read(
    request: ReadRequest,
  ): Promise<{ readonly inputs: Fields; readonly state: Fields } | undefined>;
  delete(request: DeleteRequest): Promise<void>;
}

/** The resource exists, but did not become what was asked for; its state is kept, and the next update goes on from it. */
export class PartialFailure extends Error {
  readonly id: string;
  readonly state: Fields;
  readonly inputs: Fields;

  constructor(message: string, id: string, state: Fields, inputs: Fields) {
    super(message);
    this.id = id;
    this.state = state;
    this.inputs = inputs;
  }
}
