/** What a cluster's istiod says of itself while it runs. */
interface RunningIstiod {
  /** Its version, as `1.31.0`. */
  readonly version: string;
  /** How it stands with each cluster that it reads endpoints of, by the cluster's name: `synced` if all is well. */
  readonly reads: Readonly<Record<string, string>>;
  /** When the authority ends by which it signs, ISO 8601 in UTC. @default it was given none, and signs by a root of its own */
  readonly authorityExpires: string | undefined;
}

/** A certificate that proxies trust. */
export interface TrustedRoot {
  /** SHA-256 of it, in hexadecimal. */
  readonly fingerprint: string;
  /** When it ends, ISO 8601 in UTC. */
  readonly expires: string;
}

/** The Service of a gateway for other networks. */
export interface FoundEastWestGateway {
  /** As `namespace/name`. */
  readonly service: string;
  readonly network: string;
  /** Port of the Service for mTLS traffic of the mesh. */
  readonly port: number;
  /** That of the pods, if the Service says a number. @default the same */
  readonly targetPort?: number | undefined;
  readonly selector: Readonly<Record<string, string>>;
  /** Where it is reached: IP addresses, or host names on some clouds. */
  readonly addresses: readonly string[];
}

/** A server of a Gateway object. */
export interface FoundServer {
  readonly port: number;
  readonly protocol: string;
  /** @default none */
  readonly tlsMode: string | undefined;
  /** As the object has them, with the namespaces that they are for: `shop/*.example.com`. */
  readonly hosts: readonly string[];
}

/** A Gateway object. */
export interface FoundGateway {
  readonly namespace: string;
  readonly name: string;
  /** Labels of the pods that it configures. */
  readonly selector: Readonly<Record<string, string>>;
  readonly servers: readonly FoundServer[];
}

/** A PeerAuthentication of others. */
export interface FoundPeerAuthentication {
  /** As `namespace/name`. */
  readonly name: string;
  readonly namespace: string;
  /** Whether it is for some pods of its namespace alone. */
  readonly isForPods: boolean;
  /** STRICT, PERMISSIVE, DISABLE or UNSET. */
  readonly mode: string;
}

/** What one cluster has of an Istio that others have installed. */
export interface FoundIstio {
  /** The name of its Deployment. */
  readonly deployment: string;
  /** `default` if it has no revision. */
  readonly revision: string;
  /** The cluster's name in the mesh. */
  readonly clusterId: string;
  readonly meshId: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** The namespace whose rules are for the whole mesh. */
  readonly rootNamespace: string;
  /** @default the system namespace does not name one */
  readonly network: string | undefined;
  /** Whether the mesh config lists networks itself, in the way of old. */
  readonly hasMeshNetworks: boolean;
  /** Whether proxies use mTLS with whoever has it, without being told by rules. */
  readonly autoMtls: boolean;
  /** Names of the settings by which rules without `exportTo` are not for all namespaces. */
  readonly hides: readonly string[];
  /** Whether sidecars answer DNS for hosts of ServiceEntries. */
  readonly dnsCapture: boolean;
  /** What istiod says, or why it says nothing. */
  readonly running: RunningIstiod | { readonly silent: string };
  /** What the cluster's proxies trust. */
  readonly roots: readonly TrustedRoot[];
  readonly eastWest: readonly FoundEastWestGateway[];
  readonly gateways: readonly FoundGateway[];
  readonly peerAuthentications: readonly FoundPeerAuthentication[];
  /** Running pods that the Gateway asked for selects. */
  readonly ingressPods: number;
  /** Where clients outside reach these pods. */
  readonly ingressAddresses: readonly string[];
}

/** Why a cluster has no istiod that can be used. */
export interface NoIstio {
  readonly rule: string;
  readonly fix: string;
}

/** When the authority ends by which a cluster's istiod signs; undefined if it has none, or nobody answers. */
export function authorityExpiresOf({ running }: FoundIstio): string | undefined {
  return "version" in running ? running.authorityExpires : undefined;
}

/** The version of a cluster's istiod; undefined if nobody answers. */
export function versionOf({ running }: FoundIstio): string | undefined {
  return "version" in running ? running.version : undefined;
}

/** Whether a pattern of hosts, as `*.example.com` or `*`, covers a host. */
export function coversHost(pattern: string, host: string): boolean {
  return pattern === host || (pattern.startsWith("*") && host.endsWith(pattern.slice(1)));
}
