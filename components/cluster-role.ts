import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

export interface ClusterRoleGrant {
  /** Name of ClusterRole and ClusterRoleBinding. */
  readonly role: string;
  readonly rules: k8s.types.input.rbac.v1.PolicyRule[];
}

/** Gives a ServiceAccount a ClusterRole of its own. */
export function grantClusterRole(
  name: string,
  account: k8s.core.v1.ServiceAccount,
  opts: pulumi.CustomResourceOptions,
  { role, rules }: ClusterRoleGrant,
): void {
  new k8s.rbac.v1.ClusterRole(`${name}-role`, { metadata: { name: role }, rules }, opts);
  new k8s.rbac.v1.ClusterRoleBinding(
    `${name}-binding`,
    {
      metadata: { name: role },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [
        {
          kind: "ServiceAccount",
          name: account.metadata.name,
          namespace: account.metadata.namespace,
        },
      ],
    },
    opts,
  );
}
