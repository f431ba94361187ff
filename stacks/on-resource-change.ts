import * as pulumi from "@pulumi/pulumi";
import { routing } from "../lib/routing/index.ts";
import { joinHooks } from "./routing-records.ts";

/**
 * Calls `notify` before Pulumi creates or updates any of the resources that are registered from now on, save
 * the objects with weights, which have hooks of their own. For a resource that stays as it is nothing is called.
 */
export function onResourceChange(notify: () => void): void {
  const hook = new pulumi.ResourceHook("istio-canary-resource-changes", notify);
  pulumi.runtime.registerStackTransformation(({ resource, type, props, opts }) =>
    // isInstance tells nothing yet: a transformation runs before the resource's own constructor has marked it.
    resource instanceof pulumi.CustomResource && !routing.isWeights(type)
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
