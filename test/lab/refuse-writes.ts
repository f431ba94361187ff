import type { MeshCluster } from "../../fleet/cluster.ts";
import { writeRoutes } from "../../fleet/write-routes.ts";
import { until } from "../../lib/until.ts";
import { route, service } from "./release.ts";

const policyName = "no-new-weights";

/** Has the API server refuse new routing rules, but not when they are only tried. */
export async function refuseWrites(cluster: MeshCluster): Promise<void> {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const metadata = { name: policyName };
  const objects = [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
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
  const { http } = await route(cluster);
  await until(
    "the policy to be in force",
    async () => {
      try {
        await writeRoutes(cluster, service, http);
      } catch {
        return;
      }
      throw new Error("writes are still let through");
    },
    { timeoutMs: 30_000 },
  );
}

/** Takes that back. */
export async function letWritesThrough(cluster: MeshCluster): Promise<void> {
  const apiVersion = "admissionregistration.k8s.io/v1";
  for (const kind of ["ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"]) {
    await cluster.objects.delete({ apiVersion, kind, metadata: { name: policyName } });
  }
  const { http } = await route(cluster);
  await until("the policy to be gone", () => writeRoutes(cluster, service, http), {
    timeoutMs: 30_000,
  });
}
