import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { isContent, listedKubeconfig } from "../fleet/kubeconfig.ts";
import type { ClusterAccess } from "./config.ts";

/** Pulumi's way to a cluster. It has the cluster's name, and is the same in every stack. */
export function clusterProvider({ name, context, kubeconfig }: ClusterAccess): k8s.Provider {
  // Without it the SDK hands $KUBECONFIG on, and the provider takes a list of files for one path.
  const file = kubeconfig ?? listedKubeconfig(context);
  return new k8s.Provider(name, {
    context,
    // Another URL, CA or proxy in the kubeconfig would otherwise make it another cluster, and replace all in it.
    clusterIdentifier: name,
    // New certificates go into the Secret that istiod reads, which is never away for a moment.
    enableSecretMutable: true,
    // New rules go into the ConfigMap that Prometheus reads, likewise.
    enableConfigMapMutable: true,
    ...(file !== undefined && { kubeconfig: isContent(file) ? pulumi.secret(file) : file }),
  });
}
