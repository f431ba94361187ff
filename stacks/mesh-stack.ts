import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { isContent } from "../fleet/kubeconfig.ts";
import { IP_FAMILIES, MONITORING_NAMESPACE } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import { clusterProvider } from "./cluster-provider.ts";
import type { ClusterAccess, ReleaseStackSettings, Settings } from "./config.ts";
import { shareOf } from "./ingress.ts";
import { presentClusters } from "./present-clusters.ts";
import type { Mesh } from "./mesh.ts";

const paths = z
  .array(
    z.object({
      exact: z.string().optional(),
      prefix: z.string().optional(),
      regex: z.string().optional(),
    }),
  )
  .readonly();
const hostShare = z.object({
  service: z.string(),
  paths: paths.optional(),
  others: paths.optional(),
});

/** The output `mesh`: what other stacks need to know of the mesh, in addition to the outputs for people. */
const meshOutput = z.object({
  trustDomain: z.string(),
  clusterDomain: z.string(),
  env: z.string(),
  ipFamilies: z.array(z.enum(IP_FAMILIES)).optional(),
  /** What the namespaces of services enforce. @default nothing */
  podSecurity: z.enum(["baseline", "restricted"]).optional(),
  /** Whether each cluster runs a Prometheus of the mesh's stack. */
  ownPrometheus: z.boolean(),
  /** Its namespace. @default MONITORING_NAMESPACE */
  monitoringNamespace: z.string().optional(),
  /** How each cluster and its metrics are reached, in the order of the configuration. */
  clusters: z.array(
    z.object({
      name: z.string(),
      context: z.string(),
      kubeconfig: z.string().optional(),
      apiServer: z.string().optional(),
      apiServerAuthority: z.enum(["cluster", "system"]).optional(),
      tlsServerName: z.string().optional(),
      /** Port of its east-west gateway. @default 15443 */
      eastWestPort: z.number().optional(),
      prometheus: z.string().optional(),
      /** Its control planes. @default the one without a revision */
      revisions: z.array(z.string()).optional(),
      /** The revision that each tag stands for. @default it has none */
      tags: z.record(z.string(), z.string()).optional(),
    }),
  ),
  /** The ingress gateways, and their hosts that lead to no service of the stack itself. */
  ingress: z
    .object({
      gateway: z.string(),
      freeHosts: z.array(z.string()),
      /** Of the other hosts those that leave paths to services of other stacks, and what its own have. @default none does */
      sharedHosts: z.record(z.string(), z.array(hostShare)).optional(),
    })
    .optional(),
});
export type MeshOutput = z.output<typeof meshOutput>;

/** The output `mesh` of a stack that uses another one's. */
const joinedOutput = z.object({ mesh: z.object({ stack: z.string() }) });

/** The output `mesh` of a stack whose Istio others have installed. */
const foundOutput = z.object({
  mesh: z.object({
    istio: z.literal("existing"),
    id: z.string().optional(),
    trustDomain: z.string(),
    clusterDomain: z.string(),
  }),
});

/** What a stack says of a mesh that it does not install. */
export type JoinedOutput = z.output<typeof joinedOutput | typeof foundOutput>["mesh"];

/** What a stack says of one cluster. */
export const clusterOutput = z.object({
  network: z.string(),
  istioVersion: z.string(),
  caExpires: z.string(),
  gateways: z.object({
    eastWest: z.array(z.string()),
    /** @default 15443 */
    eastWestPort: z.number().optional(),
    ingress: z.array(z.string()),
  }),
  traffic: z.record(z.string(), z.unknown()),
});
export type ClusterOutput = z.output<typeof clusterOutput>;

/** The outputs of a stack with a mesh, as far as the services of other stacks depend on them. */
const outputs = z.object({
  mesh: meshOutput,
  rootCaExpires: z.string(),
  clusters: z.record(z.string(), clusterOutput),
});

/** What services need to know of a mesh that their stack does not install. */
export interface MeshFacts extends Omit<z.output<typeof outputs>, "clusters"> {
  readonly clusters: Readonly<
    Record<
      string,
      ClusterOutput & {
        /** Istio's revision that pods get. @default default, the one without a name */
        readonly revision?: string | undefined;
      }
    >
  >;
}

/** What a stack with a mesh says of it. */
export interface MeshStack extends MeshFacts {
  /** The stack's full name. */
  readonly name: string;
}

/** Tells other stacks about the mesh; nothing of it is secret. */
export function describeMesh({
  mesh,
  clusters,
  ingress,
  ingressGateway,
  services,
  ownPrometheus,
  monitoring,
}: Settings): MeshOutput {
  const taken = services.flatMap(({ ingressHosts }) => ingressHosts);
  const sharing = services.filter(
    ({ ingressPaths, ingressPathsOfOthers }) => ingressPaths ?? ingressPathsOfOthers,
  );
  const sharedHosts = Object.fromEntries(
    sharing
      .flatMap(({ ingressHosts }) => ingressHosts)
      .map((host) => [
        host,
        services.filter(({ ingressHosts }) => ingressHosts.includes(host)).map(shareOf),
      ]),
  );
  return {
    trustDomain: mesh.trustDomain,
    clusterDomain: mesh.clusterDomain,
    env: mesh.env,
    ...(mesh.ipFamilies && { ipFamilies: mesh.ipFamilies }),
    ...(mesh.podSecurity !== undefined && { podSecurity: mesh.podSecurity }),
    ownPrometheus,
    ...(ownPrometheus &&
      monitoring &&
      monitoring.namespace !== MONITORING_NAMESPACE && {
        monitoringNamespace: monitoring.namespace,
      }),
    clusters: clusters.map((cluster) => ({
      name: cluster.name,
      context: cluster.context,
      ...(cluster.revisions && { revisions: [...cluster.revisions] }),
      ...(cluster.tags && { tags: cluster.tags }),
      ...givenOf(cluster),
    })),
    ...(ingress &&
      ingressGateway !== undefined && {
        ingress: {
          gateway: ingressGateway,
          freeHosts: ingress.hosts.filter((host) => !taken.includes(host)),
          ...(sharing.length > 0 && { sharedHosts }),
        },
      }),
  };
}

/** Keys of a cluster's access that are given: what is not leaves the output as it was. */
function givenOf({
  kubeconfig,
  apiServer,
  apiServerAuthority,
  tlsServerName,
  eastWestPort,
  prometheus,
}: ClusterAccess) {
  return {
    ...(kubeconfig !== undefined && !isContent(kubeconfig) && { kubeconfig }),
    ...(apiServer !== undefined && { apiServer }),
    ...(apiServerAuthority !== undefined && { apiServerAuthority }),
    ...(tlsServerName !== undefined && { tlsServerName }),
    ...(eastWestPort !== undefined && { eastWestPort }),
    ...(prometheus !== undefined && { prometheus }),
  };
}

/** Reads what another stack's last update has said of its mesh, or says why it cannot be used. */
export async function readMeshStack(name: string): Promise<MeshStack | Problem> {
  const own = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()];
  if (name === own.join("/")) {
    return {
      path: "meshStack",
      value: name,
      rule: "must be a different stack than this one",
      fix: "Name the stack that has installed the mesh, or: pulumi config rm meshStack",
    };
  }
  // Its name is in the error when there is no such stack.
  const reference = new pulumi.StackReference("meshStack", { name });
  const found = await Promise.all(
    Object.keys(outputs.shape).map(
      async (output) => [output, (await reference.getOutputDetails(output)).value] as const,
    ),
  );
  return meshStackOf(name, Object.fromEntries(found));
}

/**
 * What a stack says of its mesh, or why it cannot be used.
 *
 * @param name the stack's full name
 * @param values its outputs
 */
export function meshStackOf(
  name: string,
  values: Readonly<Record<string, unknown>>,
): MeshStack | Problem {
  const problem = { path: "meshStack", value: name };
  const parsed = outputs.safeParse(values);
  if (parsed.success) return { name, ...parsed.data };
  const joined = joinedOutput.safeParse(values);
  if (joined.success) {
    return {
      ...problem,
      rule: "must be a stack that has installed a mesh, but this one uses another stack's",
      fix: `Set it with: pulumi config set meshStack ${joined.data.mesh.stack}`,
    };
  }
  if (foundOutput.safeParse(values).success) {
    return {
      ...problem,
      rule: "must be a stack that has installed a mesh, but this one uses Istio that others have installed",
      fix: "Give this stack mesh.istio: existing and the clusters of that one, and: pulumi config rm meshStack",
    };
  }
  const missing = [...new Set(parsed.error.issues.map(({ path }) => path.join(".")))];
  return {
    ...problem,
    rule: `must be a stack that has installed a mesh, but its outputs lack ${missing.join(", ")}`,
    fix: `Name the stack with the mesh, and first run this version of the program there: pulumi up --stack ${name}`,
  };
}

/**
 * The mesh of another stack, or of others' Istio, for the services of this one.
 *
 * @throws if there is a cluster of which nothing is known
 */
export function joinMesh(settings: ReleaseStackSettings): Mesh {
  const { meshStack } = settings;
  const { mesh, rootCaExpires } = meshStack;
  return {
    clusters: presentClusters(settings).map((access) => {
      const known = meshStack.clusters[access.name];
      // Whatever is not registered, Pulumi deletes.
      if (!known) throw new Error(`nothing is known of the mesh in ${access.name}`);
      return {
        name: access.name,
        network: known.network,
        provider: clusterProvider(access),
        eastWestAddresses: pulumi.output(known.gateways.eastWest),
        ingressAddresses: mesh.ingress && pulumi.output(known.gateways.ingress),
        istioVersion: pulumi.output(known.istioVersion),
        caExpires: pulumi.output(known.caExpires),
        revision: known.revision,
        tags: access.tags,
        ready: [],
      };
    }),
    rootExpires: pulumi.output(rootCaExpires),
    output: outputOf(meshStack),
  };
}

function outputOf(mesh: ReleaseStackSettings["meshStack"]): JoinedOutput {
  if ("name" in mesh) return { stack: mesh.name };
  const { trustDomain, clusterDomain } = mesh.mesh;
  return {
    istio: mesh.istio,
    ...(mesh.id !== undefined && { id: mesh.id }),
    ...{ trustDomain, clusterDomain },
  };
}
