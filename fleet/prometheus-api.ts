import { serverLabels } from "../lib/monitoring/server-labels.ts";
import { PROMETHEUS, PROMETHEUS_PORT } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { Credentials, type CredentialsArgs } from "./credentials.ts";
import { explain } from "./explain.ts";
import { httpGet, type HttpAnswer } from "./http-get.ts";
import { ask } from "./pod-http.ts";
import { NoAnswer } from "./ask-program.ts";
import { podOfService, type PodPort, type ServicePort } from "./service-pod.ts";

/** The way to one Prometheus' HTTP API. */
export interface PrometheusApi {
  /**
   * GETs a path, such as `/api/v1/query?query=up`.
   *
   * @returns the answer's text
   * @throws if there is no answer, or not 2xx. The message names the cluster and, where it is refused, the keys to check; no
   * secret is in it
   */
  get(path: string): Promise<string>;
}

/** What is said of a Prometheus that does not let the command in. */
interface Login {
  readonly cluster: string;
  readonly credentials: Credentials;
}

/** No answer of a Prometheus takes longer than this, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** Longest part of an error page that is shown. */
const SHOWN = 300;

/** Codes of Node.js for certificates that it does not trust. */
const UNTRUSTED = /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|UNABLE_TO_)/;

/** The Prometheus that this program has installed in a cluster. */
export function ownPrometheus(cluster: ClusterClient): PrometheusApi {
  const labels = Object.entries(serverLabels(PROMETHEUS)).map(([k, v]) => `${k}=${v}`);
  return throughPod(cluster, new Credentials(), "", async () => {
    const [pod] = await cluster.runningPods(labels.join(","));
    if (!pod) {
      throw new Error(
        `${cluster.name} runs no Prometheus of istio-canary: set monitoring.mode to prometheus, or clusters[].prometheus to the URL of one`,
      );
    }
    return { pod, port: PROMETHEUS_PORT };
  });
}

/** One of the pods of a Service in the cluster, through the API server's port-forward. */
export function servicePrometheus(
  cluster: ClusterClient,
  { path, ...service }: ServicePort & { readonly path: string },
  credentials?: CredentialsArgs,
): PrometheusApi {
  return throughPod(cluster, new Credentials(credentials), path, () =>
    podOfService(cluster, service),
  );
}

/**
 * A Prometheus at a URL, or what speaks its API there.
 *
 * @param cluster name of the cluster whose metrics it has
 * @param url may have a path, which comes before `/api/v1`
 */
export function urlPrometheus(
  cluster: string,
  url: string,
  credentials?: CredentialsArgs,
): PrometheusApi {
  const login = { cluster, credentials: new Credentials(credentials) };
  const { agent } = login.credentials;
  const base = new URL(url);
  const prefix = base.pathname.replace(/\/$/, "");
  return {
    get: async (path) => {
      const to = new URL(base);
      [to.pathname = "", to.search = ""] = splitPath(`${prefix}${path}`);
      return askedOf(login, (headers) =>
        httpGet(to, { headers, agent, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
          const failed = `Prometheus of ${cluster} (${to.origin}) did not answer: ${explain(error)}`;
          throw new Error(`${failed}${tlsHint(cluster, error)}`);
        }),
      );
    },
  };
}

/** A path, and what follows its question mark. */
function splitPath(path: string): readonly [string, string] {
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at)];
}

function throughPod(
  cluster: ClusterClient,
  credentials: Credentials,
  prefix: string,
  find: () => Promise<PodPort>,
): PrometheusApi {
  return {
    get: async (path) => {
      const { pod, port } = await find();
      return askedOf({ cluster: cluster.name, credentials }, (headers) =>
        ask(cluster, pod, port, `${prefix.replace(/\/$/, "")}${path}`, headers),
      );
    },
  };
}

async function askedOf(
  { cluster, credentials }: Login,
  send: (headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>,
): Promise<string> {
  const key = (name: string) => `prometheus.${cluster}.${name}`;
  const { status, body } = await credentials.ask(send).catch((error: unknown) => {
    throw error instanceof NoAnswer
      ? new NoAnswer(`${key("tokenCommand")}: ${error.message}`)
      : error;
  });
  if (status >= 200 && status < 300) return body;
  if (status === 401 || status === 403) {
    const { keys } = credentials;
    throw new Error(
      `Prometheus of ${cluster} refuses the request (HTTP ${status}): ` +
        (keys.length > 0
          ? `check ${keys.map(key).join(", ")}`
          : `set the credentials that it requires: ${["bearerToken", "basicAuth", "tokenCommand", "headers", "tls"].map(key).join(", ")}`),
    );
  }
  const said = credentials.hide(body.trim().split("\n", 1).join("").slice(0, SHOWN));
  throw new Error(`Prometheus of ${cluster} answered ${status}: ${said}`);
}

/** Which key helps where the two do not trust each other. */
function tlsHint(cluster: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (UNTRUSTED.test(code)) {
    return `. Set prometheus.${cluster}.tls.ca to the authority of its certificate`;
  }
  return code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code.startsWith("ERR_OSSL_")
    ? `. Check prometheus.${cluster}.tls`
    : "";
}
