import { SYSTEM_NAMESPACE } from "../lib/names.ts";
import { fromJson } from "../lib/from-json.ts";
import type { ClusterClient } from "./cluster-client.ts";

/** How far back istiod's log is read, in seconds. It tries again after a minute at most. */
const LOG_SECONDS = 300;
/** Lines of it that are read at most. */
const LOG_LINES = 10_000;

/** How istiod logs that it cannot list or watch a kind in a cluster. */
const WATCH_ERROR = /watch error in cluster (\S+): (.+)$/;

/** The text of a line of istiod's log, which may be JSON. */
function messageOf(line: string): string {
  const parsed = line.startsWith("{") ? fromJson(line) : undefined;
  const message =
    typeof parsed === "object" && parsed !== null && "msg" in parsed ? parsed.msg : line;
  return typeof message === "string" ? message : line;
}

/**
 * The last error of each cluster that a pod of istiod could not read, from its log.
 *
 * @returns by the cluster's name; none if the log cannot be read, which takes the right to get `pods/log`
 */
export async function lastWatchErrors(
  cluster: ClusterClient,
  pod: string,
): Promise<ReadonlyMap<string, string>> {
  const log = await cluster.core
    .readNamespacedPodLog({
      ...{ name: pod, namespace: SYSTEM_NAMESPACE, container: "discovery" },
      ...{ sinceSeconds: LOG_SECONDS, tailLines: LOG_LINES },
    })
    .catch(() => "");
  return new Map(
    log.split("\n").flatMap((line) => {
      const [, name = "", error = ""] = WATCH_ERROR.exec(messageOf(line)) ?? [];
      return name === "" ? [] : [[name, error.trim()] as const];
    }),
  );
}

/** How an istiod stands with a cluster that it does not read. */
export interface UnreadState {
  /** The cluster of that istiod. */
  readonly reader: string;
  readonly cluster: string;
  /** As istiod calls it, or `unknown`. */
  readonly status: string;
  /** What its log says last. @default nothing */
  readonly error?: string | undefined;
}

/** What kinds of errors mean, and what to do, the first that fits. */
const CAUSES: readonly (readonly [RegExp, (state: UnreadState) => string])[] = [
  [
    /x509|tls:/,
    ({ cluster }) =>
      `The certificate of its API server does not fit: see clusters[].apiServer of ${cluster}, and the authority in the kubeconfig of its context.`,
  ],
  [
    /Unauthorized/,
    ({ reader, cluster }) =>
      `The token was revoked or has ended: run pulumi up --refresh, which makes Secret istio-reader-${reader}-token in ${SYSTEM_NAMESPACE} of ${cluster} anew.`,
  ],
  [
    /forbidden/i,
    ({ reader, cluster }) =>
      `Its account may not read there: see the ClusterRoleBindings that begin with istio-reader-${reader} in ${cluster}; pulumi up --refresh makes them anew.`,
  ],
  [
    /no such host|dial tcp|connection refused|timeout|deadline exceeded|no route to host|EOF/i,
    ({ reader, cluster }) =>
      `Its API server cannot be reached from the pods of ${reader}: set clusters[].apiServer of ${cluster} to a URL at which it can, and see firewalls.`,
  ],
];

/** Why an istiod does not read a cluster, and what to do, in one line. */
export function causeOf(state: UnreadState): string {
  const { reader, cluster, status, error } = state;
  if (status === "unknown") {
    return (
      `it does not know of it. See Secret istio-remote-secret-${cluster} in ${SYSTEM_NAMESPACE} of ${reader}: ` +
      "pulumi up --refresh makes it anew."
    );
  }
  if (error === undefined) {
    // The client's library tries again where a connection is refused, and logs nothing.
    return (
      `it says ${status}, and its log does not say why, as where nothing listens at the API server's address. ` +
      `See clusters[].apiServer of ${cluster}, and kubectl -n ${SYSTEM_NAMESPACE} logs -l app=istiod in ${reader}.`
    );
  }
  const [, fix] = CAUSES.find(([kind]) => kind.test(error)) ?? [];
  return `it says ${status}, and logs: ${error}.${fix ? ` ${fix(state)}` : ""}`;
}
