import { describe, expect, it } from "vitest";
import { CanaryWorkload, type CanaryWorkloadArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";

const args: CanaryWorkloadArgs = {
  service: "user-service",
  namespace: "user",
  cluster: "cluster-a",
  environment: "prod",
  port: 8080,
  versions: [
    { version: "v1", image: "registry.example.com/user-service:v1" },
    { version: "v2", image: "registry.example.com/user-service:v2", replicas: 3 },
  ],
};
const workload = (more: Partial<CanaryWorkloadArgs> = {}) =>
  record(({ opts }) => {
    new CanaryWorkload("work", { ...args, ...more }, opts);
  });

describe("CanaryWorkload", () => {
  it("registers a Service, a ServiceAccount, and a Deployment with its budget per version", async () => {
    const program = await workload();
    expect(children(program, "work")).toEqual([
      "kubernetes:apps/v1:Deployment work-v1",
      "kubernetes:apps/v1:Deployment work-v2",
      "kubernetes:core/v1:Service work-service",
      "kubernetes:core/v1:ServiceAccount work-account",
      "kubernetes:policy/v1:PodDisruptionBudget work-v1-budget",
      "kubernetes:policy/v1:PodDisruptionBudget work-v2-budget",
    ]);
    for (const child of program.resources.filter(({ parent }) => parent === "work")) {
      expect(child.provider).toBe("here");
      expect(program.waitsFor(child, program.named("before"))).toBe(true);
    }
  });

  it("names what it makes for a version by a DNS label, and labels the pods as it is written", async () => {
    const versions = [{ version: "1.16.0", image: "registry.example.com/user-service:v1" }];
    const program = await workload({ versions, autoscaling: { max: 3 } });
    const name = "user-service-1-16-0-3b41f45f";
    const labels = { app: "user-service", version: "1.16.0" };
    for (const made of ["work-1.16.0", "work-1.16.0-budget", "work-1.16.0-autoscaler"]) {
      expect(program.named(made).inputs["metadata"]).toMatchObject({ name, labels });
    }
    expect(program.named("work-1.16.0").inputs["spec"]).toMatchObject({
      selector: { matchLabels: labels },
      template: { metadata: { labels } },
    });
    expect(program.named("work-1.16.0-autoscaler").inputs["spec"]).toMatchObject({
      scaleTargetRef: { name },
    });
  });

  it("says where the container tells its metrics, to Istio's agent alone", async () => {
    const annotations = async (metrics?: CanaryWorkloadArgs["metrics"]) => {
      const program = await workload({ metrics });
      const { template } = program.named("work-v2").inputs["spec"] as {
        template: { metadata: { annotations?: object } };
      };
      return template.metadata.annotations;
    };
    expect(await annotations()).toBeUndefined();
    expect(await annotations({ path: "/metrics" })).toEqual({
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "8080",
      "prometheus.io/path": "/metrics",
    });
    expect(await annotations({ port: 9090, path: "/m" })).toMatchObject({
      "prometheus.io/port": "9090",
      "prometheus.io/path": "/m",
    });
  });

  it("gives the ServiceAccount a cloud's role, and no pod a change", async () => {
    const role = { "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/user-service" };
    const plain = await workload();
    const annotated = await workload({ accountAnnotations: role });
    expect(plain.named("work-account").inputs["metadata"]).not.toHaveProperty("annotations");
    expect(annotated.named("work-account").inputs["metadata"]).toHaveProperty("annotations", role);
    for (const pods of ["work-v1", "work-v2"]) {
      expect(annotated.named(pods).inputs).toEqual(plain.named(pods).inputs);
    }
  });

  it("merges a template over the pods of each version, and changes nothing with an empty one", async () => {
    const templateOf = async (version: string, template?: CanaryWorkloadArgs["template"]) => {
      const program = await workload({ metrics: { path: "/metrics" }, template });
      const { template: made } = program.named(`work-${version}`).inputs["spec"] as {
        template: object;
      };
      return made;
    };
    const plain = await templateOf("v2");
    const digestOf = async (template?: CanaryWorkloadArgs["template"]) => {
      const { annotations } = (await workload({ template })).named("work-v2").inputs[
        "metadata"
      ] as {
        annotations?: Readonly<Record<string, string>>;
      };
      return annotations?.["istio-canary/template"];
    };
    expect(await digestOf()).toBeUndefined();
    expect(await digestOf({})).not.toBe(await digestOf({ spec: { nodeName: "a" } }));
    expect(await templateOf("v2", {})).toEqual(plain);
    const merged = await templateOf("v2", {
      metadata: { annotations: { a: "b" } },
      spec: {
        securityContext: { runAsUser: null },
        volumes: [{ name: "tmp", emptyDir: {} }],
        containers: [
          { name: "side", image: "side:1" },
          { name: "user-service", volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] },
        ],
      },
    });
    expect(merged).toMatchObject({
      metadata: {
        labels: { app: "user-service", version: "v2", env: "prod" },
        annotations: { "prometheus.io/path": "/metrics", a: "b" },
      },
      spec: {
        serviceAccountName: "user-service",
        volumes: [{ name: "tmp", emptyDir: {} }],
        containers: [
          {
            name: "user-service",
            image: "registry.example.com/user-service:v2",
            ports: [{ name: "http", containerPort: 8080 }],
            volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
          },
          { name: "side", image: "side:1" },
        ],
      },
    });
    expect(merged).toHaveProperty("spec.securityContext", {
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
  });

  it("selects the pods of one version in each Deployment, and of all versions in the Service", async () => {
    const program = await workload();
    for (const version of ["v1", "v2"]) {
      const selector = { matchLabels: { app: "user-service", version } };
      const labels = { app: "user-service", version, env: "prod" };
      const deployment = program.named(`work-${version}`).inputs;
      expect(deployment).toMatchObject({
        metadata: { name: `user-service-${version}`, namespace: "user", labels },
        spec: { selector, template: { metadata: { labels } } },
      });
      expect(program.named(`work-${version}-budget`).inputs["spec"]).toEqual({
        maxUnavailable: 1,
        selector,
      });
    }
    expect(program.named("work-service").inputs).toMatchObject({
      metadata: { name: "user-service", namespace: "user" },
      spec: {
        selector: { app: "user-service" },
        ports: [{ name: "http", port: 80, targetPort: "http" }],
      },
    });
  });

  it("gives a version what it has for itself: its variables over the service's, the rest in their place", async () => {
    const own = {
      env: { A: "2", C: "3" },
      args: ["--fast"],
      resources: { requests: { cpu: "1" } },
    };
    const program = await workload({
      env: { A: "1", B: "1" },
      args: ["--slow"],
      resources: { requests: { cpu: "2" } },
      versions: args.versions.map((each) => (each.version === "v2" ? { ...each, ...own } : each)),
    });
    const container = (version: string) => {
      const { template } = program.named(`work-${version}`).inputs["spec"] as {
        template: {
          spec: { containers: [{ env: { name: string; value: string }[] } & typeof own] };
        };
      };
      const [{ env, ...more }] = template.spec.containers;
      return {
        ...{ args: more.args, resources: more.resources },
        env: Object.fromEntries(env.map(({ name, value }) => [name, value])),
      };
    };
    const names = (version: string) => ({ SERVICE_VERSION: version, CLUSTER_NAME: "cluster-a" });
    expect(container("v1")).toEqual({
      env: { A: "1", B: "1", ...names("v1") },
      args: ["--slow"],
      resources: { requests: { cpu: "2" } },
    });
    expect(container("v2")).toEqual({ ...own, env: { ...own.env, B: "1", ...names("v2") } });
  });

  it("runs 5 pods unless told otherwise, and takes each replaced only when its successor is ready", async () => {
    const program = await workload();
    expect(program.named("work-v1").inputs["spec"]).toMatchObject({
      replicas: 5,
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
    });
    expect(program.named("work-v2").inputs["spec"]).toMatchObject({ replicas: 3 });
  });

  it("gives each version an autoscaler, and leaves the count of its Deployment alone", async () => {
    const program = await workload({
      autoscaling: { min: 3, max: 20 },
      versions: [
        { version: "v1", image: "registry.example.com/user-service:v1", minPods: 12 },
        { version: "v2", image: "registry.example.com/user-service:v2", minPods: 2 },
      ],
    });
    const cpu = { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } };
    for (const [version, minReplicas] of [
      ["v1", 12],
      ["v2", 3],
    ] as const) {
      expect(program.named(`work-${version}`).inputs["spec"]).not.toHaveProperty("replicas");
      const autoscaler = program.named(`work-${version}-autoscaler`);
      expect(autoscaler).toMatchObject({
        type: "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        parent: "work",
        inputs: {
          metadata: { name: `user-service-${version}`, namespace: "user" },
          spec: {
            scaleTargetRef: {
              apiVersion: "apps/v1",
              kind: "Deployment",
              name: `user-service-${version}`,
            },
            minReplicas,
            maxReplicas: 20,
            metrics: [{ type: "Resource", resource: cpu }],
          },
        },
      });
      expect(program.waitsFor(autoscaler, program.named(`work-${version}`))).toBe(true);
    }
  });

  it("never asks for more pods than the most, and takes metrics as Kubernetes has them", async () => {
    const metric = { type: "External", external: { metric: { name: "queue" } } } as never;
    const program = await workload({
      autoscaling: { max: 4, metrics: [metric] },
      versions: [{ version: "v1", image: "registry.example.com/user-service:v1", minPods: 12 }],
    });
    expect(program.named("work-v1-autoscaler").inputs["spec"]).toMatchObject({
      minReplicas: 4,
      maxReplicas: 4,
      metrics: [metric],
    });
  });

  it("makes no autoscaler where somebody else's decides", async () => {
    const program = await workload({ autoscaling: "external" });
    expect(program.named("work-v1").inputs["spec"]).not.toHaveProperty("replicas");
    expect(program.resources.filter(({ name }) => name.endsWith("-autoscaler"))).toEqual([]);
  });

  it("runs the container with no rights it does not need, probed on its port", async () => {
    const program = await workload({ args: ["--version=$(SERVICE_VERSION)"], env: { A: "b" } });
    const { template } = program.named("work-v2").inputs["spec"] as { template: unknown };
    const httpGet = { path: "/healthz", port: "http" };
    expect(template).toMatchObject({
      spec: {
        serviceAccountName: "user-service",
        securityContext: { runAsNonRoot: true, runAsUser: 65532 },
        containers: [
          {
            name: "user-service",
            image: "registry.example.com/user-service:v2",
            args: ["--version=$(SERVICE_VERSION)"],
            env: [
              { name: "A", value: "b" },
              { name: "SERVICE_VERSION", value: "v2" },
              { name: "CLUSTER_NAME", value: "cluster-a" },
            ],
            ports: [{ name: "http", containerPort: 8080 }],
            readinessProbe: { httpGet },
            livenessProbe: { httpGet },
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      },
    });
  });
});
