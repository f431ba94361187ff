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
  const clusters = settings.clusters.map((cluster) => {
    const provider = away.provider(cluster);
    const { gateways } = away.known(cluster.name) ?? {};
    const opts = {
      providers: { kubernetes: provider },
      transformations: [...transformations(cluster.name)],
    };
    return { provider, ...installCluster(settings, cluster, opts, certificates, gateways) };
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
  { mesh, ingress }: Settings,
  cluster: ClusterSettings,
  opts: pulumi.ComponentResourceOptions,
  certificates: MeshCertificates,
  known?: ClusterOutput["gateways"],
) {
  const { name, network } = cluster;
  const { istioVersion: version, charts, clusterDomain } = mesh;
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
      version,
      trustDomain: mesh.trustDomain,
      clusterDomain,
      charts,
      hub: mesh.hub,
      tracing: mesh.tracing,
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

  const valuesOf = (gateway: "eastWest" | "ingress") =>
    mergeValues(mesh.values.gateway, mesh.values[gateway] ?? {}, cluster.values?.[gateway] ?? {});
  const afterIstiod = { ...opts, dependsOn: [controlPlane.istiod] };
  const eastWest = new EastWestGateway(
    `east-west-gateway-${name}`,
    {
      network,
      version,
      charts,
      clusterDomain,
      addresses: cluster.eastWestAddresses,
      knownAddresses: known?.eastWest,
      onlyNeeded: mesh.eastWestAccess === "needed",
      values: valuesOf("eastWest"),
    },
    afterIstiod,
  );
  const outside =
    ingress &&
    new IngressGateway(
      `ingress-gateway-${name}`,
      {
        ...{ version, charts, hosts: ingress.hosts, tls: tlsOf(ingress) },
        knownAddresses: known?.ingress,
        podSecurity: mesh.podSecurity,
        values: valuesOf("ingress"),
      },
      afterIstiod,
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
