import type { V1Deployment } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { DEFAULT_REVISION, INJECTED_BY, REVISION_LABEL } from "../../lib/revisions.ts";
import type { FoundRevisions } from "../../lib/upgrade-rules.ts";
import { podKey, type ClusterClient } from "../cluster-client.ts";
import { allPages } from "../pages.ts";
import { injectedBy } from "./injected-by.ts";

/** Deployments of the program in one namespace, by their names. */
export type OwnWorkloads = ReadonlyMap<string, readonly string[]>;

/** The version of an istiod's image; a tag or digest of another form tells none. */
function versionOf({ spec }: V1Deployment): string | undefined {
  const image = spec?.template.spec?.containers.find(({ name }) => name === "discovery")?.image;
  return /:v?(\d+\.\d+\.\d+)/.exec(image ?? "")?.[1];
}

/** The control planes of a cluster: each one's version, by its revision. */
export async function findIstiods({ apps }: ClusterClient): Promise<FoundRevisions["istiods"]> {
  const { items } = await apps.listNamespacedDeployment({
    namespace: SYSTEM_NAMESPACE,
    labelSelector: "app=istiod",
  });
  return new Map(
    items.map((each) => [
      each.metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION,
      versionOf(each),
    ]),
  );
}

/** The program's Deployments that are there, each with the revision that its pods get. */
export async function findInjected(
  cluster: ClusterClient,
  own: OwnWorkloads,
): Promise<FoundRevisions["workloads"]> {
  const found = await Promise.all(
    [...own].map(async ([namespace, names]) => {
      const deployments = await allPages((page) =>
        cluster.apps.listNamespacedDeployment({ namespace, ...page }),
      );
      return deployments.flatMap(({ metadata, spec }) => {
        const template = spec?.template.metadata;
        const name = metadata?.name ?? "";
        // The charts of gateways say it by a label.
        const revision =
          template?.annotations?.[INJECTED_BY] ??
          template?.labels?.[REVISION_LABEL] ??
          DEFAULT_REVISION;
        return names.includes(name) ? [{ namespace, name, revision }] : [];
      });
    }),
  );
  return found.flat();
}

/** How many pods have a proxy of which revision, by namespace. */
export async function findProxies(cluster: ClusterClient): Promise<FoundRevisions["proxies"]> {
  const pods = (await cluster.podsWithProxy()).map((pod) => ({
    namespace: podKey(pod).namespace,
    revision: injectedBy(pod),
  }));
  return [
    ...Map.groupBy(pods, ({ namespace, revision }) => `${namespace} ${revision}`).values(),
  ].flatMap((same) => same.slice(0, 1).map((pod) => ({ ...pod, pods: same.length })));
}
