import { isNotFound } from "../../fleet/explain.ts";
import { labService, type LabService } from "../../lab/mesh/service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { rolloutConfig, serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { guardPolicies } from "../../lib/manifests/guard-policies.ts";
import { until } from "../../lib/until.ts";
import { labClusters, labPulumi } from "./lab.ts";
import { target } from "./target.ts";

/**
 * Replicas of each version of the service in the lab's own stack, in each cluster. Fewer than in the demo: each pod of the
 * mesh has an Envoy that every change of a weight waits for.
 */
export const meshReplicas = 2;

/** The releases that test files have for themselves: each is a stack and a namespace. */
export const testReleases = [
  "acknowledged",
  "api-server",
  "campaign",
  "concurrent",
  "dashboard",
  "existing-istio",
  "failover",
  "faults",
  "git",
  "guard",
  "guarded",
  "held",
  "killed",
  "modes",
  "nodes",
  "object-store",
  "one-host",
  "order",
  "pods",
  "quarantine",
  "rights",
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
  return `${target.stacks}${name}`;
}

/** The service of a release, in its namespace. */
export function testService(name: TestRelease): LabService {
  return labService(`${target.namespaces}${name}`, testHost(name));
}

/** The namespaces that a release has in each cluster: its service's, and its guards' where it has some. */
function ownNamespaces(name: TestRelease): readonly string[] {
  return [testService(name).namespace, `istio-canary-guard-${ownStack(name)}`];
}

/** How a release differs from others. */
export interface OwnStackOptions {
  /** Replicas of each version in each cluster. @default 1 */
  readonly replicas?: number;
  /** Version of the canary. @default that of the lab's services */
  readonly canary?: string;
  /** More keys of the stack's config. @default none */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Installs a release at weight 0, in the mesh of the lab's stack, unless `config` has a `mesh`. */
export async function installOwnStack(
  name: TestRelease,
  { replicas = 1, canary, config = {} }: OwnStackOptions = {},
): Promise<void> {
  const service = testService(name);
  const own = serviceConfig(service, replicas);
  await untilGone(ownNamespaces(name));
  const keys = {
    ...target.mesh(),
    services: [
      { ...own, canary: { ...own.canary, ...(canary !== undefined && { version: canary }) } },
    ],
    phases: [10, 30, 100],
    weight: 0,
    rollout: rolloutConfig,
    // What a test has broken stays so: its refusal need not wait for longer.
    safety: { checkWithin: "10s" },
    ...config,
  };
  const pulumi = await makeReleaseStack(labSettings(), ownStack(name), keys, target.environment());
  await pulumi.up("lab tests: installation");
}

/**
 * Removes a release, if it is there. All that runs is in its namespaces, whose end nobody waits for: `pulumi destroy`
 * is tested where a stack is the subject.
 */
export async function removeOwnStack(name: TestRelease): Promise<void> {
  const pulumi = labPulumi(ownStack(name));
  if (!(await pulumi.exists())) return;
  const guards = `istio-canary-guard-${ownStack(name)}`;
  const apiVersion = "admissionregistration.k8s.io/v1";
  const kinds = ["ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"];
  // What the guards have outside their namespace.
  const policies = Object.keys(guardPolicies(guards)).flatMap((policy) =>
    kinds.map((kind) => ({ apiVersion, kind, metadata: { name: `${guards}-${policy}` } })),
  );
  const namespaces = ownNamespaces(name).map((namespace) => ({
    ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  }));
  await Promise.all(
    labClusters().flatMap(({ objects }) =>
      [...policies, ...namespaces].map(async (object) => {
        try {
          await objects.delete(object);
        } catch (error) {
          // Not every release has guards, and an installation that has failed may have made none.
          if (!isNotFound(error)) throw error;
        }
      }),
    ),
  );
  await pulumi.remove({ force: true });
}

/** Waits for the end of namespaces that an earlier run has removed. */
export async function untilGone(namespaces: readonly string[]): Promise<void> {
  for (const { core, name } of labClusters()) {
    await until(
      `namespaces ${namespaces.join(" and ")} of ${name} to be gone`,
      async () => {
        const { items } = await core.listNamespace();
        const going = items.filter(({ status }) => status?.phase === "Terminating");
        if (going.some(({ metadata }) => namespaces.includes(metadata?.name ?? ""))) {
          throw new Error("not yet");
        }
      },
      { timeoutMs: 120_000 },
    );
  }
}
