import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

export interface AccountTokenArgs {
  /** The cluster of the ServiceAccount, for whoever reads the error. */
  readonly cluster: string;
  readonly account: string;
  readonly namespace: string;
  /** Any DNS label: another one makes another token, and ends this one. @default a token without one */
  readonly rotation?: string | undefined;
}

/** What a ServiceAccount shows an API server, and how it knows it. */
export interface AccountCredentials {
  readonly token: string;
  /** The authority behind the certificate of the cluster's API server, PEM in base64. @default the cluster tells none */
  readonly certificateAuthority: string | undefined;
}

/**
 * A token of a ServiceAccount that does not end by itself: deleting its Secret ends it. It is a secret in Pulumi's
 * state. A new token is made before the old one ends: Pulumi deletes that at the end of an update that has succeeded.
 */
export function accountToken(
  name: string,
  { cluster, account, namespace, rotation }: AccountTokenArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<AccountCredentials> {
  const secret = new k8s.core.v1.Secret(
    name,
    {
      metadata: {
        name: [account, "token", ...(rotation === undefined ? [] : [rotation])].join("-"),
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
      const certificateAuthority = (data as Partial<typeof data> | undefined)?.["ca.crt"];
      return { token: Buffer.from(encoded, "base64").toString(), certificateAuthority };
    }),
  );
}
