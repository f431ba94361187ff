import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { findIstio } from "../../fleet/existing-istio/find-istio.ts";
import { explain, isNotFound } from "../../fleet/explain.ts";
import { clientNamespace } from "../../lab/mesh/e2e.ts";
import { until } from "../../lib/until.ts";
import { e2eTests } from "./e2e-tests.ts";
import { e2eGateway } from "./e2e-gateway.ts";
import { removeOwnStack, testReleases, untilGone } from "./own-stack.ts";
import { E2E_INGRESS, e2eFolder, FOUND, type FoundClusters } from "./target.ts";

/** The only revision with which the clients' namespace is labelled. */
const REVISION = "default";

/** Longest wait for a gateway's pod, and its address, in milliseconds: a cloud takes its time. */
const GATEWAY_WITHIN_MS = 300_000;

/** What istiod calls the cluster of a context. */
async function nameOf(context: string): Promise<string> {
  const cluster = new ClusterClient({ name: context, context });
  const problem = (what: string) =>
    new Error(`E2E_CONTEXTS: ${context} ${what} What the clusters need: docs/lab.md.`);
  try {
    const found = await findIstio(cluster, {});
    if ("rule" in found) throw problem(`${found.rule}. ${found.fix}`);
    if (found.revision !== REVISION) {
      throw problem(`has revision ${found.revision} of Istio; the tests need ${REVISION}.`);
    }
    return found.clusterId;
  } catch (error) {
    throw error instanceof Error && error.message.startsWith("E2E_CONTEXTS")
      ? error
      : problem(`cannot be read: ${explain(error)}.`);
  }
}

async function apply(cluster: ClusterClient, object: KubernetesObject): Promise<void> {
  const patch = "application/apply-patch+yaml";
  await cluster.objects.patch(object, undefined, undefined, "e2e", true, patch);
}

/** Why a gateway has no pod yet, as far as its containers say. */
async function waitingFor({ core }: ClusterClient): Promise<string> {
  const { items } = await core.listNamespacedPod({ namespace: E2E_INGRESS.namespace });
  const reasons = items
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .map(({ state }) => state?.waiting?.message ?? state?.waiting?.reason ?? "not ready");
  return ["no pod is available", ...reasons].join(": ");
}

/** Waits for a Service's address. */
async function addressOf(cluster: ClusterClient): Promise<string> {
  return until(
    `the Service ${E2E_INGRESS.namespace}/${E2E_INGRESS.name} of ${cluster.name} to have an address, and a pod behind it`,
    async () => {
      const { status } = await cluster.core.readNamespacedService(E2E_INGRESS);
      const [ingress] = status?.loadBalancer?.ingress ?? [];
      const address = ingress?.ip ?? ingress?.hostname;
      if (address === undefined) throw new Error("it has none");
      const { status: pods } = await cluster.apps.readNamespacedDeployment(E2E_INGRESS);
      if ((pods?.availableReplicas ?? 0) === 0) throw new Error(await waitingFor(cluster));
      return address;
    },
    { timeoutMs: GATEWAY_WITHIN_MS, everyMs: 500 },
  );
}

/** Passes on to test/lab/target.ts, here and in the processes of the tests, what is known. */
function tell(found: FoundClusters): void {
  process.env[FOUND] = JSON.stringify(found);
}

/** Removes the namespaces that the set-up and the clients have. */
async function removeNamespaces(clusters: readonly ClusterClient[]): Promise<void> {
  for (const { objects } of clusters) {
    for (const name of [E2E_INGRESS.namespace, clientNamespace]) {
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await objects.delete(namespace).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}

/**
 * Finds the mesh of the clusters that `E2E_CONTEXTS` names, and makes what the tests need beside it: an ingress gateway in
 * a namespace of its own.
 *
 * @returns what is to be done after the last test
 * @throws naming the context, if a cluster cannot be read or has no mesh
 */
export default async function setup(): Promise<() => Promise<void>> {
  const { contexts } = e2eTests();
  await mkdir(path.join(e2eFolder, "state"), { recursive: true, mode: 0o700 });
  await writeFile(path.join(e2eFolder, "passphrase"), "e2e", { mode: 0o600 });
  const named = await Promise.all(
    contexts.map(async (context) => ({ name: await nameOf(context), context })),
  );
  const clusters = named.map((cluster) => new ClusterClient(cluster));
  tell({ clusters: named, ingress: {} });
  await untilGone([E2E_INGRESS.namespace, clientNamespace]);
  const gateways = clusters.map(async (cluster) => {
    for (const object of e2eGateway()) await apply(cluster, object);
    return [cluster.name, await addressOf(cluster)] as const;
  });
  const ingress = await Promise.all(gateways).catch(async (error: unknown) => {
    await removeNamespaces(clusters);
    throw error;
  });
  tell({ clusters: named, ingress: Object.fromEntries(ingress) });
  return async () => {
    for (const name of testReleases) await removeOwnStack(name);
    await removeNamespaces(clusters);
  };
}
