import { MONITORING_NAMESPACE } from "../lib/names.ts";
import { inOneNetwork } from "../lib/one-network.ts";
import type { Problem } from "../lib/problems.ts";
import { apiServers, localServers } from "./api-servers.ts";
import type { ClusterAccess, ReleaseStackSettings } from "./config.ts";
import type { FoundMesh } from "./existing-istio.ts";
import { guardSettings } from "./guard-checks.ts";
import { meshStackProblems, serversOf } from "./mesh-stack-checks.ts";
import type { MeshStack } from "./mesh-stack.ts";
import type { Guard, PrometheusAccess, Service } from "./schema.ts";

/** What of the configuration concerns a mesh that the stack does not install; undefined where it is wrong by itself. */
interface Parts {
  readonly reached: readonly ClusterAccess[];
  readonly services: readonly Service[] | undefined;
  readonly guard: Guard | undefined;
  readonly prometheus: Readonly<Record<string, PrometheusAccess>> | undefined;
}

/** The settings that follow from a mesh. */
type OfMesh = Pick<
  ReleaseStackSettings,
  | "clusters"
  | "guard"
  | "ingressGateway"
  | "istioFindings"
  | "mesh"
  | "meshStack"
  | "oneNetwork"
  | "ownPrometheus"
>;

/** The settings of a stack that follow from a mesh which it does not install; what is wrong goes to `problems`. */
export function joinedMesh(
  meshStack: MeshStack | FoundMesh,
  { reached, services, guard, prometheus }: Parts,
  problems: Problem[],
): OfMesh {
  const { mesh } = meshStack;
  // Only guards of other clusters ask API servers.
  const ofGuard = guard ? problems : [];
  let servers: ReturnType<typeof apiServers>;
  if ("name" in meshStack) {
    if (services) problems.push(...meshStackProblems(meshStack, services, reached));
    servers = serversOf(meshStack.name, reached, ofGuard);
  } else {
    // What is wrong with a context is said of the configuration anyway.
    servers = apiServers(
      reached.map((cluster) => ({ ...cluster })),
      undefined,
      [],
    );
    ofGuard.push(...localServers(servers));
  }
  const own = mesh.ownPrometheus ? (mesh.monitoringNamespace ?? MONITORING_NAMESPACE) : undefined;
  return {
    clusters: reached,
    guard: guardSettings(guard, reached, servers, { own, access: prometheus ?? {} }, problems),
    ingressGateway: mesh.ingress?.gateway,
    mesh,
    meshStack,
    ownPrometheus: mesh.ownPrometheus,
    ...("name" in meshStack && ofOneNetwork(meshStack)),
    ...("istio" in meshStack && {
      istioFindings: meshStack.findings,
      oneNetwork: meshStack.oneNetwork,
    }),
  };
}

function ofOneNetwork({ clusters }: MeshStack): Pick<OfMesh, "oneNetwork"> {
  const networks = Object.values(clusters).map(({ network }) => network);
  return inOneNetwork(networks) ? { oneNetwork: true } : {};
}
