import type { ClusterClient } from "../fleet/cluster-client.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import { configuredIn } from "../lib/journal.ts";
import { serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { Journals } from "../lib/taken-back.ts";
import type { ReleaseSettings } from "./config.ts";

/** A service that an update has configured with a canary, and that is not configured any more. */
interface Removed {
  readonly key: string;
  readonly canary: string;
  readonly cluster: string;
}

async function removedIn(
  cluster: ClusterClient,
  settings: Pick<ReleaseSettings, "services">,
  journals: Journals,
  stack: string,
): Promise<readonly Removed[]> {
  const before = configuredIn(journals.get(cluster.name) ?? [], stack)?.canaries ?? {};
  const kept = settings.services.map(({ name: service, namespace }) =>
    serviceKey({ service, namespace }),
  );
  const gone = Object.keys(before).filter((key) => !kept.includes(key));
  if (gone.length === 0) return [];
  const names = gone.map((key) => {
    const [namespace = "", service = ""] = key.split("/");
    return { service, namespace };
  });
  const found = await clusterRouting.read(cluster, names);
  return found.flatMap(({ route: { canary }, ...name }) =>
    canary === undefined ? [] : [{ key: serviceKey(name), canary, cluster: cluster.name }],
  );
}

/**
 * Services that are taken out while their routes name a canary, at weight 0 too. Pulumi removes routes before pods, and
 * what the Service selects would get requests: part of them would reach the canary.
 *
 * @param clusters those that answer
 * @param stack the stack's name
 */
export async function removalProblems(
  clusters: readonly ClusterClient[],
  settings: Pick<ReleaseSettings, "services">,
  journals: Journals,
  stack: string,
): Promise<readonly Problem[]> {
  const removed = await Promise.all(
    clusters.map(async (cluster) => removedIn(cluster, settings, journals, stack)),
  );
  return [...Map.groupBy(removed.flat(), ({ key }) => key)].map(([key, all]) => ({
    path: "services",
    rule: `must have ${key} as long as its routes name the canary ${all[0]?.canary ?? ""} (in ${all.map(({ cluster }) => cluster).join(", ")}): without them, the canary's pods would get their part of the requests`,
    fix: "Add it again without its canary, at weight 0, and run pulumi up. Then take it out.",
  }));
}
