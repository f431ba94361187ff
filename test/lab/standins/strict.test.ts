// @module-tag campaign
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../lib/until.ts";
import { Project } from "./project.ts";
import { target } from "./target.ts";

// One project, changed step by step: each test goes on from the state the one before has left.
let project: Project;

beforeAll(async () => {
  project = await Project.create();
});
afterAll(async () => project.destroy());

const MAP = (name: string) => `
  new k8s.core.v1.ConfigMap("${name}", { metadata: meta("${name}"), data: { a: "1" } }, { provider });
`;

/** Creates an object by kubectl. */
async function create(name: string, object: unknown): Promise<void> {
  await project.kubectl("create", "--filename", await project.file(name, JSON.stringify(object)));
}

async function of(kind: string, name: string, path: string): Promise<string | undefined> {
  return project.kubectl("get", kind, name, "--output", `jsonpath={${path}}`);
}

// DeletionPropagation in provider/pkg/metadata/overrides.go: Foreground, unless the annotation says something else.
test("an object is deleted in the foreground: what belongs to it goes first, and its end is waited for", async () => {
  await project.program(MAP("owner"));
  await project.up();
  const uid = await of("configmap", "owner", ".metadata.uid");
  await create("owned.json", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "owned",
      finalizers: ["standins.test/hold"],
      ownerReferences: [
        { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid, blockOwnerDeletion: true },
      ],
    },
  });
  await project.program("");
  const update = project.start("up", "--yes", "--skip-preview");
  await until(
    "the owned object to be on its way out",
    async () => {
      if (!(await of("configmap", "owned", ".metadata.deletionTimestamp"))) throw new Error("no");
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
  expect(await of("configmap", "owner", ".metadata.finalizers")).toBe('["foregroundDeletion"]');
  const finalizers = '[{"op": "remove", "path": "/metadata/finalizers"}]';
  await project.kubectl("patch", "configmap", "owned", "--type", "json", "--patch", finalizers);
  expect((await update).failed).toBe(false);
  expect(await project.kubectl("get", "configmap", "owner")).toBeUndefined();
});

// allowsSkipAwaitWithDelete there: skipAwait says nothing of the end of other kinds.
test("the end of an object is waited for although its start is not", async () => {
  const skipping = `
    new k8s.core.v1.ConfigMap("held", {
      metadata: { ...meta("held"), finalizers: ["standins.test/hold"],
        annotations: { "pulumi.com/skipAwait": "true" } },
      data: { a: "1" },
    }, { provider, customTimeouts: { delete: "3s" } });
  `;
  await project.program(skipping);
  await project.up();
  await project.program("");
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  expect(text).toMatch(/finalizers/);
  const finalizers = '[{"op": "remove", "path": "/metadata/finalizers"}]';
  await project.kubectl("patch", "configmap", "held", "--type", "json", "--patch", finalizers);
  await project.up();
});

// Creation in provider/pkg/await/await.go sends again what was not found, and nothing else; Update sends nothing again.
test("a webhook that does not answer fails a write at once", async () => {
  const webhook = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: project.namespace },
    webhooks: [
      {
        name: "nobody.standins.test",
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": project.namespace } },
        // A port on which no API server listens.
        clientConfig: { url: "https://127.0.0.1:9/" },
        rules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE"],
            resources: ["configmaps"],
          },
        ],
        failurePolicy: "Fail",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      },
    ],
  };
  await create("webhook.json", webhook);
  try {
    await until(
      "the API server to ask the webhook",
      async () => {
        const made = project.kubectl("create", "configmap", "tried", "--dry-run=server");
        await expect(made).rejects.toThrow("failed calling webhook");
      },
      { timeoutMs: 30_000, everyMs: 200 },
    );
    await project.program(MAP("unheard"));
    const { ok, text, seconds } = await project.pulumi("up", "--yes", "--skip-preview");
    expect(ok).toBe(false);
    expect(text).toContain("failed calling webhook");
    // As long as it stays away, whoever tries again takes longer.
    expect(seconds).toBeLessThan(60);
  } finally {
    await project.kubectl("delete", "validatingwebhookconfiguration", project.namespace);
  }
  await until("the webhook to be gone", () => project.up(), { timeoutMs: 60_000 });
  expect(await of("configmap", "unheard", ".data.a")).toBe("1");
});

// forceNewProperties in provider/pkg/provider/diff.go.
test("what says immutable is replaced, also by a provider that changes ConfigMaps in place", async () => {
  const map = (value: string) => `
    const mutable = new k8s.Provider("mutable", {
      kubeconfig: process.env["KUBECONFIG"] ?? "", context: ${JSON.stringify(target.context)},
      enableConfigMapMutable: true, enableSecretMutable: true });
    new k8s.core.v1.ConfigMap("fixed", {
      metadata: meta("fixed"), immutable: true, data: { a: "${value}" } }, { provider: mutable });
    new k8s.core.v1.Secret("sealed", {
      metadata: meta("sealed"), immutable: true, stringData: { a: "${value}" } }, { provider: mutable });
    new k8s.core.v1.ConfigMap("free", {
      metadata: meta("free"), data: { a: "${value}" } }, { provider: mutable });
  `;
  await project.program(map("1"));
  await project.up();
  await project.program(map("2"));
  expect(Object.keys(await project.preview()).sort()).toEqual([
    "replace fixed",
    "replace sealed",
    "update free",
  ]);
  await project.up();
  expect(await of("configmap", "fixed", ".data.a")).toBe("2");
});

// untilCoreV1PersistentVolumeClaimReady in provider/pkg/await/awaiters.go.
test("a claim whose class waits for a pod is not waited for", async () => {
  await project.program(`
    const storage = new k8s.storage.v1.StorageClass("storage", {
      metadata: { name: "${project.namespace}" },
      provisioner: "standins.test/none", volumeBindingMode: "WaitForFirstConsumer" }, { provider });
    new k8s.core.v1.PersistentVolumeClaim("claim", {
      metadata: meta("claim"),
      spec: { storageClassName: storage.metadata.name, accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Mi" } } } }, { provider });
  `);
  await project.up();
  expect(await of("persistentvolumeclaim", "claim", ".status.phase")).toBe("Pending");
  expect(await project.preview()).toEqual({});
});
