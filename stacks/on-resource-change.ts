import * as pulumi from "@pulumi/pulumi";
import { joinHooks } from "./routing-records.ts";

/** Pulumi's type of a VirtualService. */
const VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService";

/**
 * Calls `notify` before Pulumi creates or updates any of the resources that are registered from now on, save
 * VirtualServices, which have hooks of their own. For a resource that stays as it is nothing is called.
 */
export function onResourceChange(notify: () => void): void {
  const hook = new pulumi.ResourceHook("istio-canary-resource-changes", notify);
  pulumi.runtime.registerStackTransformation(({ resource, type, props, opts }) =>
    pulumi.CustomResource.isInstance(resource) && type !== VIRTUAL_SERVICE
      ? {
          props,
          opts: {
            ...opts,
            hooks: joinHooks(opts.hooks, { beforeCreate: [hook], beforeUpdate: [hook] }),
          },
        }
      : undefined,
  );
}
