import { hostObjection } from "../lib/ingress-paths.ts";
import type { Problem } from "../lib/problems.ts";
import { apiServers, localServers } from "./api-servers.ts";
import type { ClusterAccess } from "./config.ts";
import { isBlank, isEmptyList, type Loose } from "./checks.ts";
import { shareOf } from "./ingress.ts";
import { usesMeshGateway } from "./ingress-checks.ts";
import type { MeshFacts, MeshStack } from "./mesh-stack.ts";
import { MESH_KEYS, type Service } from "./schema.ts";

/** Keys that a stack without a mesh of its own must not have. */
export function meshKeyProblems(raw: Loose): Problem[] {
  return MESH_KEYS.filter((key) => !isBlank(raw[key]) && !isEmptyList(raw[key])).map((key) => ({
    path: key,
    rule: "must not be given together with meshStack, whose mesh is used as it is",
    fix: `Remove it with: pulumi config rm ${key}. If this stack is to have a mesh of its own: pulumi config rm meshStack`,
  }));
}

/**
 * How this stack reaches the clusters of the mesh: as the mesh's stack does, with another kubeconfig
 * if it has one.
 */
export function clustersOf(
  { mesh }: MeshFacts,
  kubeconfig: string | undefined,
): readonly ClusterAccess[] {
  return mesh.clusters.map((cluster) => ({
    ...cluster,
    ...(kubeconfig !== undefined && { kubeconfig }),
  }));
}

/** What is asked for the API servers of another stack's clusters. */
function meshClusters(
  meshStack: string,
  clusters: readonly ClusterAccess[],
  problems: Problem[],
): Parameters<typeof apiServers> {
  return [
    clusters.map((cluster) => ({ ...cluster })),
    undefined,
    problems,
    (i) => `clusters[${i}].context of ${meshStack}`,
  ];
}

/** The API servers of the clusters as other clusters reach them; those that none does go to `problems`. */
export function serversOf(
  meshStack: string,
  clusters: readonly ClusterAccess[],
  problems: Problem[],
): ReturnType<typeof apiServers> {
  // What is wrong with a context is said of the mesh's stack anyway.
  const servers = apiServers(...meshClusters(meshStack, clusters, []));
  problems.push(
    ...localServers(servers).map((problem) => ({
      ...problem,
      path: `${problem.path} of ${meshStack}`,
    })),
  );
  return servers;
}

/** What does not go together with the mesh of the other stack. */
export function meshStackProblems(
  meshStack: MeshStack,
  services: readonly Service[],
  clusters: readonly ClusterAccess[],
): Problem[] {
  const problems: Problem[] = [];
  apiServers(...meshClusters(meshStack.name, clusters, problems));
  return [
    ...problems,
    ...(services.length === 0
      ? [
          {
            path: "services",
            value: [],
            rule: "must list a service: the mesh is the other stack's",
            fix: "Add one with name, namespace, port and stable.",
          },
        ]
      : []),
    ...namespaceProblems(meshStack, services),
    ...hostProblems(meshStack, services),
  ];
}

/** A namespace belongs to one stack, which makes it and removes it. */
function namespaceProblems({ name, clusters }: MeshStack, services: readonly Service[]): Problem[] {
  const taken = new Set(
    Object.values(clusters).flatMap(({ traffic }) =>
      Object.keys(traffic).map((service) => service.split("/")[0] ?? ""),
    ),
  );
  return services.flatMap(({ namespace }, i) =>
    taken.has(namespace)
      ? [
          {
            path: `services[${i}].namespace`,
            value: namespace,
            rule: `must be a namespace of this stack alone, but ${name} has services in it`,
            fix: "Name another one, or move those services to this stack first, as docs/stacks.md says.",
          },
        ]
      : [],
  );
}

/** Nobody but their configuration knows which stack's services hosts lead to. */
function hostProblems({ name, mesh }: MeshStack, services: readonly Service[]): Problem[] {
  const free = mesh.ingress?.freeHosts ?? [];
  return services.flatMap((service, i): Problem[] => {
    const path = `services[${i}].ingressHosts`;
    if (service.ingressHosts === undefined) {
      return mesh.ingress
        ? [
            {
              path,
              rule: "must be given: other stacks may have services in this mesh too",
              fix: `Write [] for none, or any of the hosts that ${name} has for other stacks: ${free.join(", ") || "none at all"}.`,
            },
          ]
        : [];
    }
    if (!usesMeshGateway(service)) return [];
    return service.ingressHosts.flatMap((host): Problem[] => {
      if (free.includes(host)) return [];
      const shares = mesh.ingress?.sharedHosts?.[host] ?? [];
      const objection = shares
        .map((share) => hostObjection(shareOf(service), share))
        .find((each) => each !== undefined);
      if (shares.length > 0 && !objection) return [];
      return [
        {
          path,
          value: host,
          ...(objection
            ? {
                rule: `must leave each path of a host to one service, but ${objection.seen} (stack ${name})`,
                fix: objection.fix,
              }
            : {
                rule: `must be one of ingress.hosts of ${name} that leads to none of its own services: ${free.join(", ") || "there is none"}`,
                fix: `Add it there and run pulumi up --stack ${name}, or remove it here.`,
              }),
        },
      ];
    });
  });
}
