import { runtime } from "@pulumi/pulumi";

/**
 * Lets a failed update keep the stack's outputs. Where a resource fails, the outputs that wait for it never come, so
 * Pulumi's SDK registers none at all, and the engine shows what the stack had as removed. Of a stack that has
 * registered any, an empty set too, it keeps what is not replaced; the SDK registers the real ones at the end.
 */
export function keepOutputs(): void {
  const stack = runtime.getStackResource();
  if (stack) runtime.registerResourceOutputs(stack, {});
}
