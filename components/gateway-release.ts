import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  gatewayValues,
  isAutoscaled,
  mergeValues,
  type ChartSource,
  type HelmValues,
} from "../lib/helm-values.ts";
import { chartOf } from "./chart.ts";

export interface GatewayReleaseArgs {
  /** Name of the Release, and by the chart of Deployment and Service. */
  readonly release: string;
  readonly namespace: string;
  readonly version: string;
  readonly charts: ChartSource;
  readonly replicas: number;
  readonly network?: string | undefined;
  readonly port?: number | undefined;
  readonly onlyNeeded?: boolean | undefined;
  readonly restricted?: boolean | undefined;
  /** Istio's revision that injects its pods. @default the one without a name */
  readonly revision?: string | undefined;
  readonly values: HelmValues;
}

/** The part of a Service's status that is read; in a real one any of it may be missing. */
interface LoadBalanced {
  readonly loadBalancer?: {
    readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
  };
}

/** Where clients reach a Service of type LoadBalancer: IP addresses, or host names on some clouds. */
export function loadBalancerAddresses(status: LoadBalanced | undefined): string[] {
  const ingress = status?.loadBalancer?.ingress ?? [];
  return ingress.flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
}

/** Installs the chart `gateway` and reads the addresses that its Service gets. */
export function gatewayRelease(
  name: string,
  args: GatewayReleaseArgs,
  opts: pulumi.CustomResourceOptions,
): { release: k8s.helm.v3.Release; addresses: pulumi.Output<string[]> } {
  const { replicas, network, port, onlyNeeded, restricted, revision } = args;
  const release = new k8s.helm.v3.Release(
    `${name}-release`,
    {
      name: args.release,
      namespace: args.namespace,
      ...chartOf(args.charts, "gateway", args.version),
      values: mergeValues(
        gatewayValues(args.release, {
          ...{ replicas, network, port, onlyNeeded, restricted, revision },
          autoscaled: isAutoscaled(args.values),
        }),
        args.values,
      ),
    },
    opts,
  );
  const service = k8s.core.v1.Service.get(
    `${name}-service`,
    // Unknown until the Release is there, so that a first preview does not look for the Service.
    release.id.apply(() => `${args.namespace}/${args.release}`),
    { ...opts, dependsOn: [release] },
  );
  return { release, addresses: service.status.apply(loadBalancerAddresses) };
}
