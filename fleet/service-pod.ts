import type { V1Pod } from "@kubernetes/client-node";
import type { ClusterClient } from "./cluster-client.ts";
import { explain } from "./explain.ts";

/** A Service of a cluster, and one of its ports. */
export interface ServicePort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** A pod, and the port in it. */
export interface PodPort {
  readonly pod: V1Pod;
  readonly port: number;
}

/**
 * The ready pod that answers for a Service, which a port-forward can reach. Of several it is always the same one, as
 * long as that is ready: two Prometheuses have not counted quite the same.
 *
 * @throws if there is no such Service or port, or none of its pods is ready
 */
export async function podOfService(
  cluster: ClusterClient,
  { namespace, name, port }: ServicePort,
): Promise<PodPort> {
  const where = `the Service ${namespace}/${name} of ${cluster.name}`;
  const { spec } = await cluster.core
    .readNamespacedService({ namespace, name })
    .catch((error: unknown) => {
      throw new Error(`cannot read ${where}: ${explain(error)}`, { cause: error });
    });
  const { ports = [], selector } = spec ?? {};
  const found = ports.find((each) => each.port === port);
  if (!found) {
    const has = ports.map((each) => each.port).join(", ");
    throw new Error(`${where} has no port ${port}, only ${has === "" ? "none at all" : has}`);
  }
  const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
  if (labels.length === 0) throw new Error(`${where} selects no pods`);
  const pods = await cluster.runningPods(labels.join(","), namespace);
  const [pod] = pods
    .filter(isReady)
    .sort((a, b) => ((a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1));
  if (!pod) throw new Error(`${where} has no ready pod`);
  const { targetPort = port } = found;
  const number = typeof targetPort === "number" ? targetPort : portOf(pod, targetPort);
  if (number === undefined) {
    throw new Error(
      `${where} leads to the port ${targetPort}, which its pod ${pod.metadata?.name ?? ""} does not have`,
    );
  }
  return { pod, port: number };
}

function isReady({ status }: V1Pod): boolean {
  return (status?.conditions ?? []).some((each) => each.type === "Ready" && each.status === "True");
}

function portOf({ spec }: V1Pod, name: string): number | undefined {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
    .flatMap(({ ports = [] }) => ports)
    .find((port) => port.name === name)?.containerPort;
}
