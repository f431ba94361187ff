import { setTimeout as delay } from "node:timers/promises";
import type { KubernetesClient } from "./client.ts";
import { isNotFound } from "./client.ts";
import { annotation, idOf, referenceTo } from "./objects.ts";
import { podProblems } from "./pod-problems.ts";
import {
  claimReadiness,
  isClaim,
  isTokenSecret,
  missingEndpoints,
  needsEndpoints,
  readiness,
  type Readiness,
} from "./readiness.ts";
import { retrying, unread, WATCH_FOR } from "./retry.ts";
import { listAt, textAt, type Fields } from "./values.ts";

/** The official provider's default for an object to become ready, or to be gone, in seconds. */
const READY_WITHIN = 600;
const POLL_MS = 300;
/** How often the reasons for waiting are looked up and shown, in milliseconds. */
const TELL_EVERY = 10_000;

/** The object exists, but is not ready. */
export class NotReadyError extends Error {
  readonly live: Fields;

  constructor(message: string, live: Fields) {
    super(message);
    this.live = live;
  }
}

export interface AwaitOptions {
  readonly client: KubernetesClient;
  /** The resource's `customTimeouts`, in seconds; 0 for none. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Shows a message beside the resource while it is waited for. */
  readonly tell: (message: string) => void;
}

/** Seconds that the official provider gives a token (awaiters.go), and a claim, whatever the resource's timeout. */
const TOKEN_WITHIN = 5;
const CLAIM_WITHIN = 300;

/** Seconds to wait: what the kind has, then the resource's own timeout, then its annotation, then the default. */
function timeoutOf(object: Fields, given: number): number {
  if (isTokenSecret(object)) return TOKEN_WITHIN;
  if (isClaim(object)) return CLAIM_WITHIN;
  return givenTimeout(object, given);
}

function givenTimeout(object: Fields, given: number): number {
  return given || Number(annotation(object, "pulumi.com/timeoutSeconds") ?? 0) || READY_WITHIN;
}

/** Whether an object has asked not to be waited for. */
function skipsAwait(object: Fields): boolean {
  return annotation(object, "pulumi.com/skipAwait") === "true";
}

/** Kinds whose end need not be waited for either, as allowsSkipAwaitWithDelete of the official provider lists them. */
const UNAWAITED_ENDS: readonly string[] = [
  ...["v1/Namespace", "v1/Pod", "v1/ReplicationController"],
  ...["apps/v1/DaemonSet", "apps/v1/Deployment", "apps/v1/StatefulSet", "batch/v1/Job"],
];

/** Whether nobody waits for the end of an object. */
export function skipsEnd(object: Fields): boolean {
  const { apiVersion, kind } = referenceTo(object);
  return skipsAwait(object) && UNAWAITED_ENDS.includes(`${apiVersion}/${kind}`);
}

async function readinessOf(client: KubernetesClient, object: Fields): Promise<Readiness> {
  if (isClaim(object)) return claimReadiness(object, await bindingMode(client, object));
  const own = readiness(object);
  if (own.state !== "ready" || !needsEndpoints(object)) return own;
  const { namespace, name } = referenceTo(object);
  const slices = await client.list(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", namespace },
    { labelSelector: `kubernetes.io/service-name=${name}` },
  );
  const reason = missingEndpoints(slices);
  return reason === undefined ? own : { state: "waiting", reason };
}

/** When volumes of a claim's class are bound, if that can be read. */
async function bindingMode(client: KubernetesClient, claim: Fields): Promise<string | undefined> {
  const name = textAt(claim, "spec", "storageClassName");
  if (name === undefined || name === "") return undefined;
  const kind = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass" };
  return textAt(await client.find({ ...kind, namespace: "", name }), "volumeBindingMode");
}

/** Waits until an object is ready and gives its last state; fails with the reasons as NotReadyError. */
export async function awaitReady(object: Fields, options: AwaitOptions): Promise<Fields> {
  const { client, signal, tell } = options;
  if (skipsAwait(object)) return object;
  const timeout = timeoutOf(object, options.timeout);
  const end = Date.now() + timeout * 1000;
  const reference = referenceTo(object);
  const what = `${reference.kind} ${idOf(reference)}`;
  let live = object;
  let tellAt = Date.now() + TELL_EVERY / 5;
  for (;;) {
    const found = await readinessOf(client, live);
    if (found.state === "ready") return live;
    const ended =
      found.state === "failed"
        ? `${what} has failed`
        : signal.aborted
          ? `cancelled while waiting for ${what}`
          : Date.now() >= end
            ? `timed out after ${timeout} s waiting for ${what}`
            : undefined;
    if (ended !== undefined) {
      const pods = signal.aborted ? [] : await podProblems(client, live);
      throw new NotReadyError([`${ended}: ${found.reason}`, ...pods].join("\n"), live);
    }
    if (Date.now() >= tellAt) {
      const pods = await podProblems(client, live);
      tell([found.reason, ...pods].join("; "));
      tellAt = Date.now() + TELL_EVERY;
    }
    await delay(POLL_MS);
    const next = await retrying(async () => client.find(reference), {
      forMs: WATCH_FOR,
      passing: unread,
      signal,
    });
    if (next === undefined) {
      throw new NotReadyError(`${what} was deleted while it was waited for`, live);
    }
    live = next;
  }
}

/** Waits until an object is gone, or another one has taken its name. */
export async function awaitGone(object: Fields, options: AwaitOptions): Promise<void> {
  const { client, signal } = options;
  const reference = referenceTo(object);
  const uid = textAt(object, "metadata", "uid");
  const timeout = givenTimeout(object, options.timeout);
  const end = Date.now() + timeout * 1000;
  const path = await client.pathOf(reference);
  for (;;) {
    let live: Fields;
    try {
      live = await retrying(async () => client.json("GET", path), {
        forMs: WATCH_FOR,
        passing: unread,
        signal,
      });
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    if (uid !== undefined && textAt(live, "metadata", "uid") !== uid) return;
    if (Date.now() >= end || signal.aborted) {
      const left = listAt(live, "metadata", "finalizers").map((item) => textAt({ item }, "item"));
      const why = left.length > 0 ? `; its finalizers are ${left.join(", ")}` : "";
      const how = signal.aborted ? "cancelled" : `timed out after ${timeout} s`;
      throw new Error(
        `${how} waiting for ${reference.kind} ${idOf(reference)} to be deleted${why}`,
      );
    }
    await delay(POLL_MS);
  }
}
