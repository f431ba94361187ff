import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { recordProgram, type Recording } from "./mocks.ts";

/** What a component under test is made with. */
export interface Setting {
  /** Options with the provider of the cluster and a resource to wait for. */
  readonly opts: pulumi.ComponentResourceOptions;
  /** Provider of another cluster. */
  readonly other: k8s.Provider;
}

/** Registers what `make` makes, in a cluster named `here`, after a namespace named `before`. */
export async function record(make: (setting: Setting) => void): Promise<Recording> {
  const recording = await recordProgram();
  const provider = new k8s.Provider("here", { context: "here" });
  const before = new k8s.core.v1.Namespace("before", {}, { provider });
  make({
    opts: { providers: { kubernetes: provider }, dependsOn: [before] },
    other: new k8s.Provider("other", { context: "other" }),
  });
  await recording.settle();
  return recording;
}

/** Type and name of everything below the component, for a list that must be complete. */
export function children(recording: Recording, component: string): string[] {
  return recording.resources
    .filter(({ parent }) => parent === component)
    .map(({ type, name }) => `${type} ${name}`)
    .sort();
}
