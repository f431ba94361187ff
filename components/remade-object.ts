import type * as pulumi from "@pulumi/pulumi";
import { REPLACES } from "../lib/routing/routing-annotations.ts";

/** How an object is registered that may have been deleted behind Pulumi's back, or that others have made. */
export interface RemadeObject {
  /** What its annotation `istio-canary/replaces` says. Another text makes Pulumi write it. @default it has none */
  readonly replaces?: string | undefined;
  /** What runs before and after Pulumi's update of it. @default nothing */
  readonly hooks?: pulumi.ResourceHookBinding | undefined;
  /** Properties whose changes do not count. @default all do */
  readonly ignoreChanges?: readonly string[] | undefined;
  /** What others have made and Pulumi takes over, as `namespace/name`; it then updates it. @default it makes it */
  readonly import?: string | undefined;
}

/** The options of its resource, beside others. */
export function remadeOptions({ hooks, ignoreChanges, import: id }: RemadeObject) {
  return {
    ...(id !== undefined && { import: id }),
    ...(hooks && { hooks }),
    ...(ignoreChanges && { ignoreChanges: [...ignoreChanges] }),
  };
}

/** The object with the annotation. */
export function withReplaces<T extends { readonly metadata: object }>(
  object: T,
  { replaces }: RemadeObject,
): T {
  if (replaces === undefined) return object;
  const { annotations } = object.metadata as { readonly annotations?: object };
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...annotations, [REPLACES]: replaces } },
  };
}
