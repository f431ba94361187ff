import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { canariesOf } from "../../fleet/canary-weights.ts";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { explain, isNotFound } from "../../fleet/explain.ts";
import { urlPrometheus } from "../../fleet/prometheus-api.ts";
import { Prometheus } from "../../fleet/prometheus.ts";
import { toZero } from "../../fleet/to-zero.ts";
import {
  GUARD_FILE,
  parseGuardFile,
  parseNotifications,
  type GuardFile,
} from "../../stacks/guard-file.ts";
import { gateVerdicts } from "../gates/gate-verdicts.ts";
import { guard as runGuard } from "../guard/guard.ts";
import { GuardMetrics } from "../guard/metrics.ts";
import { Journal } from "../journal.ts";
import { notify, type GuardEvent } from "../notifications.ts";
import { onInterrupt } from "../on-interrupt.ts";

export interface GuardOptions {
  /** Path of the file that an update writes. */
  readonly file: string;
  /** Path of a kubeconfig with a context for each cluster, by its name. The guard's own may be left out in a pod. */
  readonly kubeconfig: string;
  /** Path of a file with those who are notified; see `rollout.notifications`. None are, if it is not there. */
  readonly notifications: string;
  /** Port that answers GET /healthz, and GET /metrics in Prometheus' text format. @default none */
  readonly port?: string;
}

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 5_000;
/** The same for the file, for which other clusters wait. */
const FILE_WITHIN_MS = 2_000;
/** How long one cluster is tried to be lowered before it is looked at anew, in milliseconds. */
const LOWER_WITHIN_MS = 10_000;
/** A guard that has not asked for its file for so many milliseconds hangs. */
const HANGS_AFTER_MS = 120_000;
/** How the Kubernetes client calls the context of the pod's own ServiceAccount. */
const IN_CLUSTER = "inClusterContext";

/** The clusters that a guard reaches. Credentials may be replaced while it runs. */
class Clients {
  readonly #kubeconfig: string;
  #text: string | undefined;
  readonly #clients = new Map<string, ClusterClient>();

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  /** @throws if the kubeconfig does not have the cluster */
  async of(name: string, own: boolean, answerWithinMs = ANSWER_WITHIN_MS): Promise<ClusterClient> {
    const text = await readFile(this.#kubeconfig, "utf8");
    if (text !== this.#text) this.#clients.clear();
    this.#text = text;
    const key = `${name} ${answerWithinMs}`;
    const known = this.#clients.get(key);
    if (known) return known;
    const config = new KubeConfig();
    config.loadFromString(text);
    const isListed = config.getContextObject(name) !== null;
    if (!isListed && !own) throw new Error(`${this.#kubeconfig} has no context ${name}`);
    const access = isListed
      ? { context: name, kubeconfig: this.#kubeconfig }
      : { context: IN_CLUSTER };
    const made = new ClusterClient({ name, answerWithinMs, ...access });
    this.#clients.set(key, made);
    return made;
  }
}

/** The file as its ConfigMap has it; while the API server does not answer, as it was known last. */
class FileSource {
  readonly #path: string;
  readonly #clients: Clients;
  /** As the pod has it mounted: it tells where the ConfigMap is. */
  #mounted: GuardFile | undefined;
  #newest: string | undefined;
  /** When it was asked for last, in milliseconds since 1970. */
  askedAt = Date.now();

  constructor(path: string, clients: Clients) {
    this.#path = path;
    this.#clients = clients;
  }

  /** @throws if there is none, or it is none that this program knows */
  async read(): Promise<GuardFile> {
    this.askedAt = Date.now();
    this.#mounted ??= parseGuardFile(await readFile(this.#path, "utf8"));
    const { cluster, configMap } = this.#mounted;
    try {
      const own = await this.#clients.of(cluster, true, FILE_WITHIN_MS);
      const { data } = await own.core.readNamespacedConfigMap(configMap);
      // Without it nobody knows what is to be guarded, whatever the pod has mounted.
      this.#newest = data?.[GUARD_FILE] ?? "";
    } catch (error) {
      if (isNotFound(error)) throw error;
    }
    return this.#newest === undefined ? this.#mounted : parseGuardFile(this.#newest);
  }
}

function tell(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}

/** Notifies those whom the file names now, which an update may have replaced; tells who could not be notified. */
async function notifyAll(file: string, event: GuardEvent, stack: string): Promise<void> {
  try {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "[]";
      throw error;
    });
    for (const failure of await notify(parseNotifications(text), event, stack)) tell(failure);
  } catch {
    // An error of the parser would show what is secret.
    tell(`nobody is notified: ${file} cannot be read`);
  }
}

/** Watches the release of a stack from within one of its clusters, until it is stopped; see guard/guard.ts. */
export async function guard({
  file: path,
  kubeconfig,
  notifications,
  port,
}: GuardOptions): Promise<void> {
  const clients = new Clients(kubeconfig);
  const source = new FileSource(path, clients);
  const metrics = new GuardMetrics();
  const server = port === undefined ? undefined : serve(Number(port), source, metrics);
  const stop = new AbortController();
  const leave = onInterrupt(() => {
    stop.abort();
  });
  const clientOf = (name: string, { cluster }: GuardFile) => clients.of(name, name === cluster);
  const journalOf = (cluster: ClusterClient, { services }: GuardFile) =>
    new Journal(
      [cluster],
      services.map(({ namespace }) => namespace),
    );
  /** One by one: the guard may not list VirtualServices. */
  const find = (file: GuardFile) => async (cluster: ClusterClient) =>
    (await Promise.all(file.services.map((service) => canariesOf(cluster, [service])))).flat();
  try {
    await runGuard(
      {
        file: () => source.read(),
        look: async (name, file) => {
          const cluster = await clientOf(name, file);
          const [canaries, journal] = await Promise.all([
            find(file)(cluster),
            // A cluster without a journal can be lowered all the same.
            journalOf(cluster, file)
              .read()
              .catch(() => undefined),
          ]);
          return {
            weight: Math.max(0, ...canaries.map(({ weight }) => weight)),
            progress: journal?.progress,
            guards: journal?.guards ?? [],
            forgiven: journal?.forgiven ?? [],
          };
        },
        verdicts: async (file, phase) => {
          const { cluster } = file;
          const api = urlPrometheus(cluster, file.prometheus);
          const prometheus = new Prometheus(await clientOf(cluster, file), api);
          const by = { clusters: [cluster], metrics: new Map([[cluster, prometheus]]) };
          return gateVerdicts(file, by, { ...phase, now: Date.now() });
        },
        lower: async (name, file) => {
          const [zeroed] = await toZero([await clientOf(name, file)], find(file), {
            withinMs: LOWER_WITHIN_MS,
          });
          if (zeroed?.problem !== undefined) throw new Error(zeroed.problem);
          metrics.lowered(name);
        },
        note: async (name, file, note) => {
          const journal = journalOf(await clientOf(name, file), file);
          const [failed] = (await journal.writeGuard(note)).values();
          if (failed !== undefined) throw new Error(failed);
        },
        tell,
        notify: ({ stack }, event) => void notifyAll(notifications, event, stack),
        looked: (file, look) => {
          metrics.looked(file, look);
        },
        judged: (verdicts) => {
          metrics.judged(verdicts);
        },
        now: () => Date.now(),
        pause: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
      },
      stop.signal,
    );
  } finally {
    leave();
    server?.close();
  }
}

/** Answers 200 to GET /healthz as long as the guard goes on, and GET /metrics with what it has seen and done. */
function serve(port: number, source: FileSource, metrics: GuardMetrics): Server {
  return createServer((request, response) => {
    if (request.url === "/metrics") {
      void metrics.text().then((text) => {
        response.writeHead(200, { "content-type": metrics.contentType }).end(text);
      });
      return;
    }
    const alive = Date.now() - source.askedAt < HANGS_AFTER_MS;
    response.writeHead(request.url !== "/healthz" ? 404 : alive ? 200 : 503).end();
  })
    .on("error", (error) => {
      console.error(`no health check and no metrics: ${explain(error)}`);
    })
    .listen(port);
}
