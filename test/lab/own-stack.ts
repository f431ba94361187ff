import { labService } from "../../lab/mesh/service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { rolloutConfig, serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { labPulumi } from "./lab.ts";

/** The releases that test files have for themselves: each is a stack and a namespace. */
export const testReleases = [
  "api-server",
  "campaign",
  "concurrent",
  "faults",
  "killed",
  "modes",
  "nodes",
  "order",
  "pods",
  "quarantine",
  "rollback",
  "rollout",
  "safety",
  "steering",
] as const;

export type TestRelease = (typeof testReleases)[number];

/** The name of a release's service for clients outside the mesh. */
export function testHost(name: TestRelease): string {
  return `${name}.example.com`;
}

/** The name of a release's stack. */
export function ownStack(name: TestRelease): string {
  return `lab-${name}`;
}

/** How a release differs from others. */
export interface OwnStackOptions {
  /** Replicas of each version in each cluster. @default 1 */
  readonly replicas?: number;
  /** More keys of the stack's config. @default none */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Installs a release at weight 0, in the mesh of the lab's stack. */
export async function installOwnStack(
  name: TestRelease,
  { replicas = 1, config = {} }: OwnStackOptions = {},
): Promise<void> {
  const pulumi = await makeReleaseStack(labSettings(), ownStack(name), {
    services: [serviceConfig(labService(name, testHost(name)), replicas)],
    phases: [10, 30, 100],
    weight: 0,
    rollout: rolloutConfig,
    // What a test has broken stays so: its refusal need not wait for longer.
    safety: { checkWithin: "10s" },
    ...config,
  });
  await pulumi.up("lab tests: installation");
}

/** Removes a release, if it is there. */
export async function removeOwnStack(name: TestRelease): Promise<void> {
  const pulumi = labPulumi(ownStack(name));
  if (!(await pulumi.exists())) return;
  await pulumi.destroy();
  await pulumi.remove();
}
