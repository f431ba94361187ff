import { KubeConfig } from "@kubernetes/client-node";
import { ownedCanaries } from "../../fleet/canary-weights.ts";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { explain } from "../../fleet/explain.ts";
import { listedKubeconfig, loadInto } from "../../fleet/kubeconfig.ts";
import { writeNotes } from "../../fleet/notes.ts";
import { toZero, type ZeroedCluster } from "../../fleet/to-zero.ts";
import { JOURNAL_FORMAT, zeroKey, type Zeroed } from "../../lib/journal.ts";
import { textTable } from "../../lib/table.ts";
import { EXIT_CODES } from "../exit-codes.ts";

export interface ZeroOptions {
  /** Contexts of the kubeconfig. @default those that the current context's cluster has recorded */
  readonly context?: readonly string[];
  /** Path of the kubeconfig. @default the files kubectl reads */
  readonly kubeconfig?: string;
  /** Services as `namespace/name`. @default all that this program has written */
  readonly service?: readonly string[];
  /** For machines instead of people. */
  readonly json?: boolean;
  /** How long each cluster is tried, in milliseconds. @default 2 minutes */
  readonly withinMs?: number;
  /** How long a cluster's Envoys are waited for before its API server is looked at again, in milliseconds. @default 20 s */
  readonly confirmWithinMs?: number;
}

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Takes canaries back to 0 % in all clusters, with nothing but a kubeconfig: no Pulumi, no backend, no passphrase, no
 * lock and no config file. `matches` and mirrored requests stay, as at weight 0. Sets the exit code: 0 only if every
 * API server and every Envoy has 0 %, otherwise that of a rollback that is not complete.
 *
 * @throws if it is not known in which clusters, or there is no canary in any of them; nothing was changed then
 */
export async function zero({
  context,
  kubeconfig,
  service = [],
  json = false,
  withinMs,
  confirmWithinMs = 20_000,
}: ZeroOptions): Promise<void> {
  const find = (cluster: ClusterClient) => ownedCanaries(cluster, service);
  const contexts = [...new Set(context ?? (await recordedContexts(kubeconfig, service)))];
  const unknown: ZeroedCluster[] = [];
  const clusters = contexts.flatMap((name) => {
    try {
      return [clientOf(name, kubeconfig)];
    } catch (error) {
      unknown.push({ name, canaries: [], problem: explain(error) });
      return [];
    }
  });
  const result = [
    ...unknown,
    ...(await toZero(clusters, find, {
      withinMs,
      confirmWithinMs,
      onProblem: (name, problem) => {
        console.error(`${name}: not yet: ${problem}`);
      },
    })),
  ].toSorted((one, other) => contexts.indexOf(one.name) - contexts.indexOf(other.name));
  await note(clusters, result);
  if (result.every(({ canaries, problem }) => canaries.length === 0 && problem === undefined)) {
    throw new Error(
      `There is no canary of this program in ${contexts.join(", ")}, so nothing was changed. Are these the right contexts?`,
    );
  }
  console.log(json ? JSON.stringify(result, null, 2) : zeroTable(result));
  const open = result.filter(({ problem }) => problem !== undefined);
  if (open.length === 0) return;
  process.exitCode = EXIT_CODES["rollback-incomplete"];
  console.error(
    [
      `Not confirmed at 0 %: ${open.map(({ name }) => name).join(", ")}`,
      ...open.map(({ name, problem }) => ` - ${name}: ${problem ?? ""}`),
      `${open.length < result.length ? "All other clusters are at 0 %. " : ""}Fix what is named, then run the same command again.`,
    ].join("\n"),
  );
}

/**
 * Notes in each cluster what was lowered there: while other clusters have the old weight, an update does not raise these
 * to it again. The way down does not depend on it.
 */
async function note(
  clusters: readonly ClusterClient[],
  result: readonly ZeroedCluster[],
): Promise<void> {
  await Promise.all(
    result.flatMap(({ name, canaries }) =>
      canaries
        .filter(({ before, weight }) => before > 0 && weight === 0)
        .map(async ({ key, canary }) => {
          const cluster = clusters.find((each) => each.name === name);
          const [namespace = "", service = ""] = key.split("/");
          const zeroed: Zeroed = { key, canary };
          const value = { format: JOURNAL_FORMAT, at: Date.now(), ...zeroed };
          try {
            const noteKey = zeroKey(service);
            if (cluster) await writeNotes(cluster, namespace, noteKey, { [noteKey]: value });
          } catch (error) {
            console.error(
              `${name}: that ${canary} of ${key} was lowered could not be noted (${explain(error)}): set weight to 0 in the config before the next pulumi up.`,
            );
          }
        }),
    ),
  );
}

function clientOf(context: string, kubeconfig: string | undefined): ClusterClient {
  return new ClusterClient({
    name: context,
    context,
    kubeconfig,
    answerWithinMs: ANSWER_WITHIN_MS,
  });
}

/** The contexts that the cluster of the kubeconfig's current context has recorded for its services. */
async function recordedContexts(
  kubeconfig: string | undefined,
  services: readonly string[],
): Promise<readonly string[]> {
  const config = new KubeConfig();
  const file = kubeconfig ?? listedKubeconfig(undefined);
  if (file === undefined) config.loadFromDefault();
  else loadInto(config, file);
  const current = config.getCurrentContext();
  const missing = (why: string, cause?: unknown) =>
    new Error(
      `Cannot tell which clusters to lower: ${why}. Name one context per cluster: --context A --context B. ` +
        `The kubeconfig has ${config.contexts.map(({ name }) => name).join(", ") || "none"}.`,
      { cause },
    );
  if (!current) throw missing("the kubeconfig has no current context");
  try {
    const canaries = await ownedCanaries(clientOf(current, kubeconfig), services);
    const contexts = canaries.flatMap((canary) => canary.contexts);
    if (contexts.length > 0) return contexts;
  } catch (error) {
    throw missing(`the current context ${current} cannot be read (${explain(error)})`, error);
  }
  throw missing(
    `no VirtualService in the current context ${current} lists the clusters of its release`,
  );
}

/** What each cluster has, a line for each service. */
function zeroTable(clusters: readonly ZeroedCluster[]): string {
  const table = textTable(["cluster", "service", "canary", "was", "API server", "Envoys", "now"]);
  for (const { name, canaries, problem } of clusters) {
    const now = problem === undefined ? "confirmed" : "NOT CONFIRMED";
    if (canaries.length === 0) {
      table.push([name, "", "", "", "", "", problem === undefined ? "has no canary" : now]);
    }
    for (const { key, canary, before, weight, envoys } of canaries) {
      const read = weight === undefined ? "not known" : `${weight} %`;
      const serve = problem === undefined || envoys > 0 ? `${envoys} serve 0 %` : "not known";
      table.push([name, key, canary, `${before} %`, read, serve, now]);
    }
  }
  return table.toString();
}
