import { readFileSync } from "node:fs";
import { loadAll } from "js-yaml";
import { describe, expect, it } from "vitest";
import { previewedExample } from "../../helpers/previewed-example.ts";

interface Pods {
  readonly spec: {
    readonly containers: readonly {
      readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
      readonly env: readonly {
        readonly valueFrom?: {
          readonly secretKeyRef: { readonly name: string; readonly key: string };
        };
      }[];
    }[];
    readonly imagePullSecrets: readonly { readonly name: string }[];
  };
}
interface Dependency {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly stringData?: Readonly<Record<string, string>>;
}

const deployments = async () => {
  const recording = await previewedExample("spring-boot");
  return recording.ofType("kubernetes:apps/v1:Deployment").flatMap(({ name, inputs }) => {
    const { template } = inputs["spec"] as { template: Pods };
    return name.startsWith("orders.shop-") ? [{ name, template }] : [];
  });
};

describe("examples/spring-boot", () => {
  it("gives both versions in every cluster its template over the program's own", async () => {
    const made = await deployments();
    expect(made.map(({ name }) => name).sort()).toEqual(
      ["cluster-a", "cluster-b"].flatMap((cluster) =>
        ["v1", "v2"].map((version) => `orders.shop-${cluster}-${version}`),
      ),
    );
    for (const { name, template } of made) {
      const version = name.slice(-2);
      expect(template, name).toMatchObject({
        metadata: {
          labels: { app: "orders", version },
          annotations: { "prometheus.io/path": "/actuator/prometheus" },
        },
        spec: {
          terminationGracePeriodSeconds: 45,
          serviceAccountName: "orders",
          volumes: [{ name: "tmp", emptyDir: {} }],
          containers: [
            {
              name: "orders",
              image: `registry.example.com/orders:${version}`,
              ports: [{ name: "http", containerPort: 8080 }],
              volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
              securityContext: { readOnlyRootFilesystem: true },
              readinessProbe: {
                httpGet: { path: "/actuator/health/readiness", port: "http" },
                periodSeconds: 5,
              },
              lifecycle: { preStop: { sleep: { seconds: 5 } } },
            },
          ],
        },
      });
    }
  });

  it("refers to nothing but what dependencies.yaml has", async () => {
    const file = new URL("../../../examples/spring-boot/dependencies.yaml", import.meta.url);
    const there = loadAll(readFileSync(file, "utf8")) as unknown as readonly Dependency[];
    expect(new Set(there.map(({ metadata }) => metadata.namespace))).toEqual(new Set(["shop"]));
    const secret = (wanted: string) =>
      there.find(({ kind, metadata }) => kind === "Secret" && metadata.name === wanted);
    for (const { template } of await deployments()) {
      const { containers, imagePullSecrets } = template.spec;
      for (const { name } of imagePullSecrets) expect(secret(name), name).toBeDefined();
      for (const { env, envFrom } of containers) {
        for (const { configMapRef } of envFrom) {
          expect(there).toContainEqual(
            expect.objectContaining({
              kind: "ConfigMap",
              metadata: { name: configMapRef.name, namespace: "shop" },
            }),
          );
        }
        for (const { valueFrom } of env) {
          const ref = valueFrom?.secretKeyRef;
          if (ref) expect(secret(ref.name)?.stringData).toHaveProperty(ref.key);
        }
      }
    }
  });
});
