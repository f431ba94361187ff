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
import { INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../lib/names.ts";
import {
  DEFAULT_REVISION,
  labelledWith,
  revisionOf,
  revisionsIn,
  tagsIn,
  type Tags,
} from "../lib/revisions.ts";
import type { AwayClusters } from "./away-clusters.ts";
import { clusterProvider } from "./cluster-provider.ts";
import type { ClusterSettings, Settings } from "./config.ts";
import {
  describeMesh,
  type ClusterOutput,
  type JoinedOutput,
  type MeshOutput,
} from "./mesh-stack.ts";

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

export interface Mesh {
  readonly clusters: readonly MeshCluster[];
  /** When the root certificate ends, ISO 8601 in UTC. */
  readonly rootExpires: pulumi.Output<string>;
  /** What other stacks read of it, or whose it is. */
  readonly output: MeshOutput | JoinedOutput;
}

/**
 * Installs the mesh over all clusters: every one the same, every pair connected both ways.
 *
 * @param transformations of all resources in a cluster. @default none
 * @param away what is known of clusters that are away. @default none is
 */
export function installMesh(
  settings: Settings,
  transformations: (cluster: string) => readonly pulumi.ResourceTransformation[] = () => [],
  away: Pick<AwayClusters, "provider" | "known"> = {
    provider: clusterProvider,
    known: () => undefined,
  },
): Mesh {
  const certificates = certificatesOf(settings);
  const earlier: IstioControlPlane[] = [];
  const clusters = settings.clusters.map((cluster) => {
    const provider = away.provider(cluster);
    const { gateways } = away.known(cluster.name) ?? {};
    const opts = {
      providers: { kubernetes: provider },
      transformations: [...transformations(cluster.name)],
    };
    const made = installCluster(settings, cluster, opts, certificates, [...earlier], gateways);
    // Those of a cluster that is away are left out with all that depends on them.
    if (!settings.away.includes(cluster.name)) earlier.push(made.controlPlane);
    return { provider, ...made };
  });

  clusters.forEach((source, i) => {
    const server = settings.clusters[i]?.server;
    for (const reader of clusters) {
      if (server && reader !== source) {
        new RemoteSecret(
          `remote-secret-${source.name}-in-${reader.name}`,
          {
            source: source.name,
            sourceProvider: source.provider,
            reader: reader.name,
            apiServer: server,
            revisions: [...source.controlPlane.istiods.keys()],
          },
          {
            providers: { kubernetes: reader.provider },
            dependsOn: [source.controlPlane.istiod, reader.controlPlane.istiod],
          },
        );
      }
    }
  });
  return {
    clusters,
    rootExpires: certificates.rootExpires,
    output: describeMesh(settings),
  };
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
  { mesh, ingress, dataPlane = [] }: Settings,
  cluster: ClusterSettings,
  opts: pulumi.ComponentResourceOptions,
  certificates: MeshCertificates,
  earlier: readonly IstioControlPlane[],
  known?: ClusterOutput["gateways"],
) {
  const { name, network } = cluster;
  const { istioVersion, charts, clusterDomain } = mesh;
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
      authority,
      values: mesh.values,
    },
    opts,
  );

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
        values: mesh.values.gateway,
      },
      opts: { ...opts, dependsOn: [controlPlane.istiod, ...(istiod ? [istiod] : [])] },
    };
  };
  const between = gatewayIn(SYSTEM_NAMESPACE);
  const eastWest = new EastWestGateway(
    `east-west-gateway-${name}`,
    {
      ...{ ...between.args, network, clusterDomain },
      addresses: cluster.eastWestAddresses,
      knownAddresses: known?.eastWest,
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
        knownAddresses: known?.ingress,
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
    eastWestAddresses: eastWest.addresses,
    ingressAddresses: outside?.addresses,
    istioVersion: controlPlane.version,
    caExpires: authority.expires,
    tags,
    istiods: controlPlane.istiods,
    moved: [
      ...controlPlane.istiods.values(),
      eastWest.release,
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
