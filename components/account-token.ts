import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

export interface AccountTokenArgs {
  /** The cluster of the ServiceAccount, for whoever reads the error. */
  readonly cluster: string;
  readonly account: string;
  readonly namespace: string;
}

/**
 * A token of a ServiceAccount that does not end by itself: deleting its Secret ends it. It is a secret in Pulumi's
 * state.
 */
export function accountToken(
  name: string,
  { cluster, account, namespace }: AccountTokenArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const secret = new k8s.core.v1.Secret(
    name,
    {
      metadata: {
        name: `${account}-token`,
        namespace,
        annotations: { "kubernetes.io/service-account.name": account },
      },
      type: "kubernetes.io/service-account-token",
    },
    opts,
  );
  return pulumi.secret(
    // The id is unknown until the Secret exists, so no preview looks for a token before.
    pulumi.all([secret.id, secret.data]).apply(([id, data]) => {
      const encoded = (data as Partial<typeof data> | undefined)?.["token"];
      if (encoded === undefined) {
        throw new pulumi.RunError(
          `Secret ${id} in ${cluster} has no token yet: its cluster's controller manager writes it. ` +
            "Check that kube-controller-manager runs there, then run `pulumi up` again.",
        );
      }
      return Buffer.from(encoded, "base64").toString();
    }),
  );
}
