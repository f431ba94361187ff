import type { IDestinationRule } from "@kubernetes-models/istio/networking.istio.io/v1/DestinationRule";
import type { ExistingWorkload } from "../../existing.ts";
import {
  crossClusterHost,
  crossClusterName,
  serviceHost,
  workloadIdentity,
  type ServiceName,
} from "../../names.ts";
import { isSplit, TCP_SUBSET, type ServicePort } from "../../ports.ts";
import { versionName } from "../../version-name.ts";
import type { CrossClusterArgs, Policies, TrafficPolicy } from "../routing.ts";
import { OWNED } from "../routing-annotations.ts";
import { passthroughSni } from "./envoy-names.ts";
import { servicePolicy, versionPolicy } from "./traffic-policy.ts";

interface DestinationRuleArgs extends ServiceName {
  readonly clusterDomain: string;
  /** Versions that get a subset each; see versionName. */
  readonly versions: readonly string[];
  /** @default this program makes the pods */
  readonly existing?: ExistingWorkload | undefined;
  /** @default Istio's */
  readonly policies?: Policies | undefined;
  readonly stable: string;
  /** @default HTTP alone */
  readonly ports?: readonly ServicePort[] | undefined;
}

/** Whoever gives a policy has checked it: to the compiler it may be anything, since Istio's type is too large for it. */
function istioPolicy(policy: TrafficPolicy | undefined): object {
  return { ...policy };
}

/**
 * Subsets of a service by the label of its versions, over mutual TLS with the mesh's certificates. Of a service that
 * others have made Istio sees itself which pods want that (auto mTLS).
 */
export function destinationRule({
  clusterDomain,
  versions,
  existing,
  policies,
  stable,
  ports = [],
  ...name
}: DestinationRuleArgs) {
  const label = existing?.versionLabel ?? "version";
  const trafficPolicy = {
    ...istioPolicy(servicePolicy(policies, ports)),
    ...(!existing && { tls: { mode: "ISTIO_MUTUAL" as const } }),
  };
  const subset = (named: string, version: string) => {
    const own = versionPolicy(policies, version, ports);
    return {
      name: named,
      labels: { [label]: version },
      ...(own && { trafficPolicy: istioPolicy(own) }),
    };
  };
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: name.service, namespace: name.namespace, annotations: OWNED },
    spec: {
      host: serviceHost(name, clusterDomain),
      ...(Object.keys(trafficPolicy).length > 0 && { trafficPolicy }),
      subsets: [
        ...versions.map((version) => subset(versionName(version), version)),
        ...(ports.every(isSplit) ? [] : [subset(TCP_SUBSET, stable)]),
      ],
    },
  } satisfies IDestinationRule;
}

/**
 * Subsets of the host that names another cluster. Its gateway picks the subset by the server name
 * alone, so every subset has its own; without it the split would happen once per TCP connection.
 */
export function crossClusterDestinationRule(args: CrossClusterArgs) {
  const { cluster, clusterDomain, trustDomain, versions, existing, policies, ports, ...name } =
    args;
  const accounts = existing?.serviceAccounts ?? [name.service];
  const [first, ...others] = (ports ?? []).filter(isSplit);
  const all = servicePolicy(policies, ports);
  const tls = (subset?: string, port = first?.port ?? existing?.port) => ({
    mode: "ISTIO_MUTUAL" as const,
    sni: passthroughSni(name, clusterDomain, subset, port),
    subjectAltNames: accounts.map((account) =>
      workloadIdentity(name.namespace, account, trustDomain),
    ),
  });
  /** Each further port has a server name of its own. What is set for a port inherits nothing, so it says all. */
  const policy = (own: TrafficPolicy | undefined, subset?: string) => ({
    ...istioPolicy(own),
    tls: tls(subset),
    ...(others.length > 0 && {
      portLevelSettings: others.map(({ port }) => ({
        ...istioPolicy(subset === undefined ? own : { ...all, ...own }),
        port: { number: port },
        tls: tls(subset, port),
      })),
    }),
  });
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: {
      name: crossClusterName(name.service, cluster),
      namespace: name.namespace,
      annotations: OWNED,
    },
    spec: {
      host: crossClusterHost(name, cluster),
      trafficPolicy: policy(all),
      subsets: versions.map((version) => {
        const subset = versionName(version);
        return {
          name: subset,
          trafficPolicy: policy(versionPolicy(policies, version, ports), subset),
        };
      }),
    },
  } satisfies IDestinationRule;
}
