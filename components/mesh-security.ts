import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { gatewayLabels } from "../lib/helm-values.ts";
import {
  EAST_WEST_GATEWAY,
  EAST_WEST_PORT,
  INGRESS_GATEWAY,
  INGRESS_NAMESPACE,
  SYSTEM_NAMESPACE,
} from "../lib/names.ts";
import { childOptions } from "./child-options.ts";

export interface MeshSecurityArgs {
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /** Hosts that the ingress gateway answers for; all others get 403. @default there is no ingress gateway */
  readonly ingressHosts?: readonly string[] | undefined;
}

/**
 * Strict mutual TLS for every workload of a cluster, and gateways that allow what they are for and
 * nothing else. Istio applies no policy to AUTO_PASSTHROUGH itself, which by its own rules passes
 * nothing but mTLS of the mesh; the policy keeps any other server off these pods.
 */
export class MeshSecurity extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:MeshSecurity";

  constructor(name: string, args: MeshSecurityArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super(MeshSecurity.type, name, {}, opts);
    const apply = (role: string, manifest: k8s.apiextensions.CustomResourceArgs) =>
      new k8s.apiextensions.CustomResource(`${name}-${role}`, manifest, childOptions(this, opts));

    apply("mtls", {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: SYSTEM_NAMESPACE },
      spec: { mtls: { mode: "STRICT" } },
    });
    apply("east-west", {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: EAST_WEST_GATEWAY, namespace: SYSTEM_NAMESPACE },
      spec: {
        selector: { matchLabels: gatewayLabels(EAST_WEST_GATEWAY) },
        action: "ALLOW",
        rules: [
          {
            to: [{ operation: { ports: [String(EAST_WEST_PORT)] } }],
            when: [
              { key: "connection.sni", values: [`*.${args.clusterDomain ?? "cluster.local"}`] },
            ],
          },
        ],
      },
    });
    if (args.ingressHosts) {
      apply("ingress", {
        apiVersion: "security.istio.io/v1",
        kind: "AuthorizationPolicy",
        metadata: { name: INGRESS_GATEWAY, namespace: INGRESS_NAMESPACE },
        spec: {
          selector: { matchLabels: gatewayLabels(INGRESS_GATEWAY) },
          action: "ALLOW",
          rules: [
            // A client may say the port too.
            { to: [{ operation: { hosts: args.ingressHosts.flatMap((h) => [h, `${h}:*`]) } }] },
          ],
        },
      });
    }
    this.registerOutputs({});
  }
}
