import * as pulumi from "@pulumi/pulumi";

/**
 * Options of a component's children. Pulumi passes the provider on by parentage, but not what the
 * component depends on: without this, children would not wait.
 */
export function childOptions(
  parent: pulumi.ComponentResource,
  opts: pulumi.ComponentResourceOptions | undefined,
  dependsOn: readonly pulumi.Input<pulumi.Resource>[] = [],
): pulumi.CustomResourceOptions {
  const inherited = opts?.dependsOn === undefined ? {} : { dependsOn: opts.dependsOn };
  return pulumi.mergeOptions({ parent, ...inherited }, { dependsOn: [...dependsOn] });
}
