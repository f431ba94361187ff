import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { writeRoutes } from "../../fleet/routing/istio/write-routes.ts";
import { until } from "../../lib/until.ts";
import { serviceName } from "../../lab/mesh/service.ts";
import type { LabRelease } from "./release.ts";

const apiVersion = "admissionregistration.k8s.io/v1";

/** Names the policy after the namespace that it is for. */
function policyOf({ service: { namespace } }: LabRelease): string {
  return `no-new-weights-${namespace}`;
}

/** Has the API server refuse new routing rules of the release, but not when they are only tried. */
export async function refuseWrites(cluster: ClusterClient, release: LabRelease): Promise<void> {
  const policyName = policyOf(release);
  const metadata = { name: policyName };
  const objects = [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          namespaceSelector: {
            matchLabels: { "kubernetes.io/metadata.name": release.service.namespace },
          },
          resourceRules: [
            {
              apiGroups: ["networking.istio.io"],
              apiVersions: ["*"],
              operations: ["UPDATE"],
              resources: ["virtualservices"],
            },
          ],
        },
        validations: [
          { expression: "request.dryRun || false", message: "no weight changes on a Friday" },
        ],
      },
    },
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName, validationActions: ["Deny"] },
    },
  ];
  for (const object of objects) await cluster.objects.create(object);
  const { rules } = await release.route(cluster);
  await until(
    "the policy to be in force",
    async () => {
      try {
        await writeRoutes(cluster, serviceName(release.service), rules);
      } catch {
        return;
      }
      throw new Error("writes are still let through");
    },
    { timeoutMs: 30_000 },
  );
}

/** Takes that back. */
export async function letWritesThrough(cluster: ClusterClient, release: LabRelease): Promise<void> {
  for (const kind of ["ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"]) {
    await cluster.objects.delete({ apiVersion, kind, metadata: { name: policyOf(release) } });
  }
  const { rules } = await release.route(cluster);
  await until(
    "the policy to be gone",
    () => writeRoutes(cluster, serviceName(release.service), rules),
    {
      timeoutMs: 30_000,
    },
  );
}
