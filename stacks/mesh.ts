import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  EastWestGateway,
  IngressGateway,
  IstioControlPlane,
  MeshCertificates,
  MeshSecurity,
  MeshTracing,
  RemoteSecret,
} from "../components/index.ts";
import { mergeValues } from "../lib/helm-values.ts";
import { INGRESS_NAMESPACE, ipFamilyPolicy, SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";
import {
  DEFAULT_REVISION,
  labelledWith,
  revisionOf,
  revisionsIn,
  tagsIn,
  type Tags,
} from "../lib/revisions.ts";
import { clusterProvider } from "./cluster-provider.ts";
import type { ClusterSettings, Settings } from "./config.ts";
import { describeMesh, type JoinedOutput, type MeshOutput } from "./mesh-stack.ts";
import { presentClusters } from "./present-clusters.ts";

/** One cluster of the mesh, as a release needs it. */
export interface MeshCluster {
  readonly name: string;
  readonly network: string;
  readonly provider: k8s.Provider;
  /** Where other clusters reach its services. */
  readonly eastWestAddresses: pulumi.Output<string[]>;
  /** Where clients outside reach it. @default it has no ingress gateway */
  readonly ingressAddresses: pulumi.Output<string[]> | undefined;
  readonly istioVersion: pulumi.Output<string>;
  /** When its certificate authority ends, ISO 8601 in UTC. */
  readonly caExpires: pulumi.Output<string>;
  /** Istio's revision that pods get. @default default, the one without a name */
  readonly revision?: string | undefined;
  /** The revision that each of its tags stands for. @default it has none */
  readonly tags?: Tags | undefined;
  /** What must be there before pods of a revision. @default `ready` is all */
  readonly istiods?: ReadonlyMap<string, pulumi.Resource> | undefined;
  /** What an upgrade changes of the mesh itself. @default nothing */
  readonly moved?: readonly pulumi.Resource[] | undefined;
  /** What must be there before the first workload: istiod and its rules. */
  readonly ready: readonly pulumi.Resource[];
}

/** By which Secret the istiod of a cluster reads another one. */
export interface ReadBy {
  readonly source: string;
  readonly reader: string;
  /** See RemoteSecret. */
  readonly isUsed: pulumi.Output<boolean>;
}

export interface Mesh {
  readonly clusters: readonly MeshCluster[];
  /** When the root certificate ends, ISO 8601 in UTC. */
  readonly rootExpires: pulumi.Output<string>;
  /** What other stacks read of it, or whose it is. */
  readonly output: MeshOutput | JoinedOutput;
  /** Names of the Secrets by which istiods read other clusters, once they are in place. @default others have made them */
  readonly connected?: pulumi.Output<readonly string[]>;
  /** Those Secrets. @default others have made them */
  readonly remoteSecrets?: readonly ReadBy[];
}

/**
 * Installs the mesh over all clusters that are not away: every one the same, every pair connected both ways.
 *
 * @param transformations of all resources in a cluster. @default none
 */
export function installMesh(
  settings: Settings,
  transformations: (cluster: string) => readonly pulumi.ResourceTransformation[] = () => [],
): Mesh {
  const certificates = certificatesOf(settings);
  const earlier: IstioControlPlane[] = [];
  const present = presentClusters(settings);
  const clusters = present.map((cluster) => {
    const provider = clusterProvider(cluster);
    const opts = {
      providers: { kubernetes: provider },
      transformations: [...transformations(cluster.name)],
    };
    const made = installCluster(settings, cluster, opts, certificates, [...earlier]);
    earlier.push(made.controlPlane);
    return { provider, ...made };
  });

  const secrets = clusters.flatMap((source, i) => {
    const server = present[i]?.server;
    return clusters
      .filter((reader) => reader !== source)
      .flatMap((reader) =>
        server ? [connect(source, reader, server, settings, transformations(reader.name))] : [],
      );
  });
  return {
    clusters,
    connected: pulumi.all(secrets.map(({ secret }) => secret.secretName)),
    remoteSecrets: secrets.map(({ source, reader, secret }) => ({
      ...{ source, reader, isUsed: secret.isUsed },
    })),
    rootExpires: certificates.rootExpires,
    output: describeMesh(settings),
  };
}

type InstalledCluster = Pick<MeshCluster, "name" | "provider"> & {
  readonly controlPlane: IstioControlPlane;
};

/** Lets the istiod of one cluster read another one. */
function connect(
  source: InstalledCluster,
  reader: InstalledCluster,
  apiServer: ApiServer,
  { mesh, closed = [] }: Pick<Settings, "mesh" | "closed">,
  transformations: readonly pulumi.ResourceTransformation[],
) {
  const secret = new RemoteSecret(
    `remote-secret-${source.name}-in-${reader.name}`,
    {
      source: source.name,
      sourceProvider: source.provider,
      reader: reader.name,
      apiServer,
      isUsed: !closed.includes(source.name),
      rotation: mesh.readerTokens,
      revisions: [...source.controlPlane.istiods.keys()],
    },
    {
      providers: { kubernetes: reader.provider },
      transformations: [...transformations],
      dependsOn: [source.controlPlane.istiod, reader.controlPlane.istiod],
    },
  );
  return { source: source.name, reader: reader.name, secret };
}

function certificatesOf({ certificates, clusters, mesh }: Settings): MeshCertificates {
  const { root, clusters: pems } = certificates;
  return new MeshCertificates("certificates", {
    clusters: clusters.map(({ name }) => name),
    organization: mesh.id,
    rootDays: certificates.rootDays,
    intermediateDays: certificates.intermediateDays,
    rotation: certificates.rotation,
    own: root === undefined || pems === undefined ? undefined : { root, clusters: complete(pems) },
  });
}

/** Configuration that has been checked has no half pairs. */
function complete(pems: NonNullable<Settings["certificates"]["clusters"]>) {
  return Object.fromEntries(
    Object.entries(pems).map(([cluster, { certificate = "", key = "", chain }]) => [
      cluster,
      { certificate, key, chain },
    ]),
  );
}

function installCluster(
  { mesh, ingress, secrets, oneNetwork = false, dataPlane = [] }: Settings,
  cluster: ClusterSettings,
  opts: pulumi.ComponentResourceOptions,
  certificates: MeshCertificates,
  earlier: readonly IstioControlPlane[],
) {
  const { name, network } = cluster;
  const { istioVersion, clusterDomain } = mesh;
  const { passwordSecret, ...source } = mesh.charts;
  const charts = {
    ...source,
    ...(passwordSecret !== undefined && { password: secrets[passwordSecret] }),
  };
  const tags = tagsIn(mesh, name);
  const revisions = revisionsIn(mesh, name).map((revision) => ({
    ...revision,
    // One cluster after the other, but for what has always been installed in all at once.
    ...(revision.name !== DEFAULT_REVISION && {
      after: earlier.flatMap(({ istiods }) => istiods.get(revision.name) ?? []).slice(-1),
    }),
  }));
  const authority = certificates.authorities[name];
  if (!authority) {
    throw new Error(`no certificate authority was made for ${name}`);
  }
  const controlPlane = new IstioControlPlane(
    `istio-${name}`,
    {
      cluster: name,
      network,
      meshId: mesh.id,
      version: istioVersion,
      revisions,
      tags,
      trustDomain: mesh.trustDomain,
      clusterDomain,
      charts,
      hub: mesh.hub,
      tracing: mesh.tracing,
      ipFamilies: mesh.ipFamilies,
      authority,
      cni: mesh.cni,
      restricted: mesh.podSecurity === "restricted",
      values: {
        base: mesh.values.base,
        cni: mesh.values.cni,
        istiod: mergeValues(mesh.values.istiod, cluster.values?.istiod ?? {}),
      },
    },
    opts,
  );

  const service = ipFamilyPolicy(mesh.ipFamilies);
  const everywhere =
    "ipFamilyPolicy" in service
      ? mergeValues({ service }, mesh.values.gateway)
      : mesh.values.gateway;
  const valuesOf = (gateway: "eastWest" | "ingress") =>
    mergeValues(everywhere, mesh.values[gateway] ?? {}, cluster.values?.[gateway] ?? {});
  const afterIstiod = { ...opts, dependsOn: [controlPlane.istiod] };
  /** What a gateway is made of, and waits for, in the namespace that says its revision. */
  const gatewayIn = (namespace: string) => {
    const label = labelledWith(dataPlane, name, namespace);
    const revision = revisionOf(label, tags);
    const istiod = controlPlane.istiods.get(revision);
    return {
      label,
      args: {
        version: revisions.find((each) => each.name === revision)?.version ?? istioVersion,
        ...(revision !== DEFAULT_REVISION && { revision }),
        charts,
      },
      opts: { ...opts, dependsOn: [controlPlane.istiod, ...(istiod ? [istiod] : [])] },
    };
  };
  const between = gatewayIn(SYSTEM_NAMESPACE);
  // In one network calls go from pod to pod.
  const eastWest = oneNetwork
    ? undefined
    : new EastWestGateway(
        `east-west-gateway-${name}`,
        {
          ...{ ...between.args, network, clusterDomain },
          addresses: cluster.eastWestAddresses,
          port: cluster.eastWestPort,
          onlyNeeded: mesh.eastWestAccess === "needed",
          values: valuesOf("eastWest"),
        },
        between.opts,
      );
  const entry = gatewayIn(INGRESS_NAMESPACE);
  const outside =
    ingress &&
    new IngressGateway(
      `ingress-gateway-${name}`,
      {
        ...{ ...entry.args, label: entry.label, hosts: ingress.hosts, tls: tlsOf(ingress) },
        podSecurity: mesh.podSecurity,
        ports: ingress.ports,
        values: valuesOf("ingress"),
      },
      entry.opts,
    );
  if (mesh.tracing) {
    new MeshTracing(`tracing-${name}`, mesh.tracing, afterIstiod);
  }
  const security = new MeshSecurity(
    `security-${name}`,
    { clusterDomain, ingressHosts: ingress?.hosts },
    { ...opts, dependsOn: outside ? [controlPlane.istiod, outside] : [controlPlane.istiod] },
  );

  return {
    name,
    network,
    controlPlane,
    eastWestAddresses: eastWest?.addresses ?? pulumi.output([]),
    ingressAddresses: outside?.addresses,
    istioVersion: controlPlane.version,
    caExpires: authority.expires,
    tags,
    istiods: controlPlane.istiods,
    moved: [
      ...controlPlane.istiods.values(),
      ...(eastWest ? [eastWest.release] : []),
      ...(outside ? [outside.release] : []),
    ],
    ready: [controlPlane.istiod, security],
  };
}

function tlsOf({ tls }: NonNullable<Settings["ingress"]>) {
  return (
    tls && {
      credentialName: tls.credentialName,
      httpsRedirect: tls.httpsRedirect,
      pair:
        tls.certificate === undefined || tls.key === undefined
          ? undefined
          : { certificate: tls.certificate, key: pulumi.secret(tls.key) },
    }
  );
}
