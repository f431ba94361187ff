import * as pulumi from "@pulumi/pulumi";
import { ReleaseGuard } from "../components/index.ts";
import { idOf, stackLabel } from "../lib/names.ts";
import type { ReleaseSettings } from "./config.ts";
import { GUARD_FILE, guardFileText, NOTIFICATIONS_FILE } from "./guard-file.ts";
import type { MeshCluster } from "./mesh.ts";

/** Namespace of the guards of a stack: each stack has guards of its own. */
function guardNamespace(stack: string): string {
  return `istio-canary-guard-${stackLabel(stack)}`.slice(0, 63).replace(/-+$/, "");
}

/**
 * Sets a guard up in every cluster, if it is configured.
 *
 * @param namespaces those of the services, by cluster
 * @param after what the guards wait for; the files that they go by do not
 */
export function installGuards(
  settings: ReleaseSettings,
  clusters: readonly MeshCluster[],
  namespaces: ReadonlyMap<string, readonly pulumi.Resource[]>,
  after: Promise<unknown>,
): ReleaseGuard | undefined {
  const { guard, services } = settings;
  if (!guard || services.length === 0) return undefined;
  const { image, partitionLimit } = guard;
  const { notifications } = settings.rollout;
  const stack = pulumi.getStack();
  const namespace = guardNamespace(stack);
  return new ReleaseGuard(
    "release-guard",
    {
      namespace,
      image,
      services: services.map(idOf),
      // The guard of a cluster that is away keeps its rights in the others.
      readers: settings.clusters.map(({ name }) => name),
      // A canary that fails where the others send nothing says nothing of theirs.
      suspended: settings.drain,
      after,
      secrets:
        notifications.length === 0 ? {} : { [NOTIFICATIONS_FILE]: JSON.stringify(notifications) },
      clusters: clusters.flatMap(({ name, provider }) => {
        const known = guard.clusters.find((each) => each.name === name);
        if (!known) return [];
        const { server: apiServer, prometheus } = known;
        const configMap = { namespace, name: ReleaseGuard.fileName };
        const about = { stack, cluster: name, configMap, prometheus, partitionLimit };
        const text = guardFileText(settings, about);
        return [{ name, provider, apiServer, file: { name: GUARD_FILE, text } }];
      }),
    },
    { dependsOn: [...namespaces.values()].flat() },
  );
}
