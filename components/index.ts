export type { AutoscalingArgs } from "./canary-autoscaler.ts";
export { CanaryMonitoring, type CanaryMonitoringArgs } from "./canary-monitoring.ts";
export {
  CanaryRoute,
  canaryRouteObjects,
  type CanaryRouteArgs,
  type CanaryRouteObjects,
  type CanaryRouting,
} from "./canary-route.ts";
export { CanaryWorkload, type CanaryWorkloadArgs, type VersionArgs } from "./canary-workload.ts";
export type { VersionConfigArgs } from "./version-config.ts";
export { configDigests, type ConfigDigests, type VersionConfig } from "../lib/version-config.ts";
export {
  CrossClusterServiceEntry,
  type CrossClusterServiceEntryArgs,
} from "./cross-cluster-service-entry.ts";
export { EastWestGateway, type EastWestGatewayArgs } from "./east-west-gateway.ts";
export { IngressGateway, type IngressGatewayArgs, type IngressTls } from "./ingress-gateway.ts";
export {
  IstioControlPlane,
  type IstioControlPlaneArgs,
  type RevisionArgs,
} from "./istio-control-plane.ts";
export type { Revision, Tags } from "../lib/revisions.ts";
export {
  MeshCertificates,
  type CertificateAuthority,
  type MeshCertificatesArgs,
  type OwnCertificates,
} from "./mesh-certificates.ts";
export { MeshSecurity, type MeshSecurityArgs } from "./mesh-security.ts";
export { MeshTracing, type MeshTracingArgs } from "./mesh-tracing.ts";
export type { ChartSource, HelmValues, Tracing } from "../lib/helm-values.ts";
export type { ApiServer } from "../lib/reader-kubeconfig.ts";
export type { ExistingWorkload } from "../lib/existing.ts";
export type { ChainRole, Mark } from "../lib/mark.ts";
export type { ChainPlace, RequestMatch, Retries } from "../lib/routing/routing.ts";
export { virtualAddresses } from "../lib/names.ts";
export { RemoteSecret, type RemoteSecretArgs } from "./remote-secret.ts";
export { ReleaseGuard, type GuardedCluster, type ReleaseGuardArgs } from "./release-guard.ts";
