import { load } from "js-yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { ReleaseGuard } from "../../../components/index.ts";
import { record } from "../../helpers/component.ts";
import { secretValue, type Recording, type Registered } from "../../helpers/mocks.ts";

const cluster = (letter: string) => ({
  name: `cluster-${letter}`,
  apiServer: { server: `https://${letter}.example.com:6443`, certificateAuthority: "Y2E=" },
  file: { name: "guard.json", text: `{"cluster":"cluster-${letter}"}` },
});
let settled = false;
const make = () =>
  record(({ opts, other }) => {
    const here = Array.isArray(opts.providers) ? undefined : opts.providers?.["kubernetes"];
    if (!here) throw new Error("there is no provider");
    new ReleaseGuard(
      "g",
      {
        namespace: "guards",
        image: "registry.example.com/istio-canary:1",
        services: [
          { service: "user-service", namespace: "user" },
          { service: "order-service", namespace: "user" },
          { service: "web", namespace: "web" },
        ],
        secrets: { "notifications.json": "[]" },
        after: Promise.resolve().then(() => {
          settled = true;
        }),
        clusters: [
          { ...cluster("a"), provider: here },
          { ...cluster("b"), provider: other },
        ],
      },
      { dependsOn: opts.dependsOn ?? [] },
    );
  });
const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";
const spec = (resource: Registered) => resource.inputs["spec"] as Readonly<Record<string, unknown>>;
interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: object;
  readonly containers: readonly { readonly securityContext: object }[];
}

describe("ReleaseGuard", () => {
  let program: Recording;
  beforeAll(async () => {
    program = await make();
    expect(settled).toBe(true);
  });

  it("runs a pod without any privilege in each cluster, which no update waits for", () => {
    for (const [letter, provider] of [
      ["a", "here"],
      ["b", "other"],
    ] as const) {
      const deployment = program.named(`g-cluster-${letter}-deployment`);
      expect(deployment.provider).toBe(provider);
      expect(deployment.inputs["metadata"]).toMatchObject({
        namespace: "guards",
        annotations: { "pulumi.com/skipAwait": "true" },
      });
      expect(spec(deployment)).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
      const { spec: pod } = spec(deployment)["template"] as { readonly spec: PodSpec };
      expect(pod.serviceAccountName).toBe(`release-guard-cluster-${letter}`);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(pod.containers).toHaveLength(1);
      expect(pod.containers[0]?.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  it("gives every guard rights by name, and no right without the policies that hold it", () => {
    const roles = program.ofType(`${RBAC}:Role`).filter(({ provider }) => provider === "here");
    expect(Object.fromEntries(roles.map(({ name, inputs }) => [name, inputs["rules"]]))).toEqual({
      "g-cluster-a-user-role": [
        {
          apiGroups: ["networking.istio.io"],
          resources: ["virtualservices"],
          resourceNames: ["user-service", "order-service"],
          verbs: ["get", "patch"],
        },
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: ["istio-canary-rollout"],
          verbs: ["get", "patch", "create"],
        },
      ],
      "g-cluster-a-web-role": [
        expect.objectContaining({ resourceNames: ["web"] }),
        expect.objectContaining({ resourceNames: ["istio-canary-rollout"] }),
      ],
      "g-cluster-a-guards-role": [
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: ["release-guard"],
          verbs: ["get"],
        },
      ],
    });
    expect(program.ofType(`${RBAC}:ClusterRole`)).toEqual([]);
    expect(program.ofType(`${RBAC}:ClusterRoleBinding`)).toEqual([]);
    for (const cluster of ["cluster-a", "cluster-b"]) {
      const binding = program.named(`g-${cluster}-user-role-binding`);
      expect(binding.inputs["subjects"]).toEqual(
        ["cluster-a", "cluster-b"].map((each) => ({
          kind: "ServiceAccount",
          name: `release-guard-${each}`,
          namespace: "guards",
        })),
      );
      for (const policy of ["weights", "notes"]) {
        const held = program.named(`g-${cluster}-${policy}-binding`);
        expect(spec(held)["validationActions"]).toEqual(["Deny"]);
        expect(program.waitsFor(binding, held)).toBe(true);
      }
    }
    expect(program.named("g-cluster-a-guards-role-binding").inputs["subjects"]).toHaveLength(1);
  });

  it("hands each guard a kubeconfig for the other clusters alone, as a secret", () => {
    const { stringData } = program.named("g-cluster-a-access").inputs;
    const { kubeconfig = "", ...others } = secretValue(stringData) as Record<string, string>;
    expect(others).toEqual({ "notifications.json": "[]" });
    expect(load(kubeconfig)).toEqual({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "cluster-b",
          cluster: {
            server: "https://b.example.com:6443",
            "certificate-authority-data": "Y2E=",
          },
        },
      ],
      users: [{ name: "cluster-b", user: { token: "token of g-cluster-b-token-cluster-a" } }],
      contexts: [{ name: "cluster-b", context: { cluster: "cluster-b", user: "cluster-b" } }],
      "current-context": "cluster-b",
    });
    expect(program.named("g-cluster-b-token-cluster-a").provider).toBe("other");
  });

  it("writes what the guards go by before all else", () => {
    const file = program.named("g-cluster-a-file");
    expect(file.inputs["data"]).toEqual({ "guard.json": '{"cluster":"cluster-a"}' });
    expect(program.waitsFor(file, program.named("before"))).toBe(true);
    const others = program.resources.filter(
      ({ parent, provider, name }) =>
        parent === "g" &&
        provider === "here" &&
        !["g-cluster-a-file", "g-cluster-a-namespace"].includes(name),
    );
    expect(others.length).toBeGreaterThan(10);
    for (const each of others) expect(program.waitsFor(each, file), each.name).toBe(true);
  });
});
