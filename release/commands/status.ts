import { routesEverywhere } from "../../fleet/envoy.ts";
import { explain } from "../../fleet/explain.ts";
import { serviceHost } from "../../lib/names.ts";
import { textTable } from "../../lib/table.ts";
import { deployedIn } from "../fleet.ts";
import type { GateVerdict } from "../gates/verdict.ts";
import { pausedBy, weightsOf } from "../observer.ts";
import { openRelease, type OpenRelease } from "../open.ts";
import { judgedServices, releaseName } from "../release-settings.ts";

export interface StatusOptions {
  readonly stack: string;
  /** For machines instead of people. */
  readonly json?: boolean;
}

/** What one cluster serves. */
interface ClusterStatus {
  readonly cluster: string;
  /** Why it could not be read. */
  readonly unreachable?: string;
  /** Percent of each canary by the API server. */
  readonly weights: readonly number[];
  /** Envoys that route to the services, and how many of them serve those weights. */
  readonly envoys: number;
  readonly serving: number;
  /** Alerts that fire. @default there is no Prometheus to ask */
  readonly alerts?: readonly string[];
}

async function statusOf(
  { settings, clusters, metrics }: OpenRelease,
  name: string,
  weights: readonly number[],
): Promise<ClusterStatus> {
  const cluster = clusters.filter((each) => each.name === name);
  const services = judgedServices(settings);
  try {
    const routes = await Promise.all(
      services.map(async ({ service, namespace, canary }, i) => {
        const hosts = [serviceHost({ service, namespace }, settings.mesh.clusterDomain)];
        const found = await routesEverywhere(cluster, hosts);
        return found.map((each) => (each.weights[canary] ?? 0) === weights[i]);
      }),
    );
    const firing = await metrics.get(name)?.query('ALERTS{alertstate="firing"}');
    return {
      cluster: name,
      weights,
      envoys: routes.flat().length,
      serving: routes.flat().filter(Boolean).length,
      ...(firing && { alerts: firing.map(({ labels }) => labels["alertname"] ?? "") }),
    };
  } catch (error) {
    return { cluster: name, weights, envoys: 0, serving: 0, unreachable: explain(error) };
  }
}

/** Shows what every cluster serves, what the gates say, and how the rollout stands. */
export async function status({ stack: name, json }: StatusOptions): Promise<void> {
  const release = await openRelease(name);
  const { settings, stack, clusters, journal, observer, metrics } = release;
  const [deployed, remembered] = await Promise.all([
    deployedIn(settings, clusters),
    journal.read(),
  ]);
  const found = await Promise.all(
    deployed.map(async ({ name: cluster, unreachable, ...each }): Promise<ClusterStatus> =>
      unreachable === undefined
        ? statusOf(release, cluster, weightsOf(settings, { name: cluster, unreachable, ...each }))
        : { cluster, unreachable, weights: [], envoys: 0, serving: 0 },
    ),
  );
  const { progress, pause } = remembered;
  const own = progress?.release === releaseName(settings) ? progress : undefined;
  const weight = Math.max(0, ...found.flatMap(({ weights }) => weights));
  const since = own?.weight === weight ? own.since : undefined;
  const verdicts: readonly GateVerdict[] =
    since === undefined || metrics.size === 0
      ? []
      : await observer.verdicts(weight, since, Date.now());
  const config = Number(stack.release.weight ?? 0);
  const paused = pausedBy(pause);
  if (json) {
    console.log(
      JSON.stringify({
        stack: name,
        release: releaseName(settings),
        config,
        clusters: found,
        progress: own,
        paused,
        verdicts,
      }),
    );
    return;
  }
  const table = textTable(["cluster", "config", "API server", "Envoys", "alerts"]);
  for (const { cluster, unreachable, weights, envoys, serving, alerts } of found) {
    table.push([
      cluster,
      `${config} %`,
      unreachable === undefined ? `${weights.join(" %, ")} %` : `not known: ${unreachable}`,
      unreachable === undefined ? `${serving} of ${envoys} serve it` : "not known",
      alerts === undefined ? "no Prometheus" : alerts.join(", ") || "none",
    ]);
  }
  console.log(releaseName(settings));
  console.log(table.toString());
  if (own) {
    const at = new Date(own.since).toISOString();
    console.log(
      own.end
        ? `rollout ${own.end.result}: ${own.end.reason}`
        : own.rollingBack === undefined
          ? `rollout in the phase of ${own.weight} % since ${at}, failed looks: ${own.failures.total}`
          : `rollout is being rolled back: ${own.rollingBack}`,
    );
  } else console.log("no rollout of it has begun");
  if (paused !== undefined) console.log(paused);
  for (const { outcome, text } of verdicts) console.log(`${outcome} ${text}`);
}
