import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const read = (template: unknown, more: object = {}) => {
  const raw = rawConfig();
  const [service] = raw.services;
  return parseConfig({ ...raw, services: [{ ...service, ...more, template }] });
};
/** The problems, without the path that all have in common. */
const lines = (template: unknown, more?: object) =>
  read(template, more).problems.map((problem) =>
    problemLine(problem).replace(" - services[0].template", ""),
  );
const main = (container: object) => ({
  spec: { containers: [{ name: "user-service", ...container }] },
});

describe("services[].template", () => {
  it("takes what a PodTemplateSpec has, and null for what is to be left out", () => {
    const template = {
      metadata: { labels: { team: "shop" }, annotations: { "sidecar.istio.io/inject": "true" } },
      spec: {
        terminationGracePeriodSeconds: 60,
        securityContext: { runAsUser: null },
        restartPolicy: "Always",
        hostNetwork: false,
        imagePullSecrets: [{ name: "registry" }],
        nodeSelector: { pool: "apps" },
        tolerations: [{ key: "apps", operator: "Exists" }],
        affinity: { nodeAffinity: null },
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "topology.kubernetes.io/zone",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: { app: "user-service" } },
            matchLabelKeys: ["version"],
          },
        ],
        volumes: [
          { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
          { name: "config", projected: { sources: [{ configMap: { name: "config" } }] } },
        ],
        initContainers: [{ name: "wait", image: "wait:1", restartPolicy: "Always" }],
        containers: [
          {
            name: "user-service",
            env: [{ name: "KEY", valueFrom: { secretKeyRef: { name: "keys", key: "key" } } }],
            envFrom: [{ configMapRef: { name: "config" } }],
            ports: [{ name: "admin", containerPort: 9000 }],
            startupProbe: { httpGet: { path: "/healthz", port: "http" } },
            livenessProbe: { exec: { command: ["true"] } },
            lifecycle: { preStop: { sleep: { seconds: 5 } } },
          },
          { name: "side", image: "side:1", securityContext: { runAsUser: 1000 } },
          { name: "istio-proxy", image: "auto", securityContext: { runAsUser: 1337 } },
        ],
      },
    };
    const { settings, problems } = read(template);
    expect(problems).toEqual([]);
    expect(settings?.services[0]?.template).toEqual(template);
  });

  it("reads numbers and booleans where text is wanted, and the number of a port in quotes", () => {
    const { settings, problems } = read({
      metadata: { annotations: { "example.com/debug": true } },
      ...main({
        env: [{ name: "COUNT", value: 3 }],
        readinessProbe: { httpGet: { path: "/", port: "8081" } },
        resources: { limits: { cpu: 2 } },
      }),
    });
    expect(problems).toEqual([]);
    expect(settings?.services[0]?.template).toEqual({
      metadata: { annotations: { "example.com/debug": "true" } },
      ...main({
        env: [{ name: "COUNT", value: "3" }],
        readinessProbe: { httpGet: { path: "/", port: 8081 } },
        resources: { limits: { cpu: "2" } },
      }),
    });
  });

  it("names every field that Kubernetes does not know, and the one that is meant", () => {
    expect(
      lines({
        spec: { nodeSelektor: { a: "b" }, containers: [{ name: "user-service", whatever: 1 }] },
        kind: "Pod",
      }),
    ).toEqual([
      `.spec.nodeSelektor: is not a field of Kubernetes' PodSpec, got {"a":"b"}. Did you mean nodeSelector?`,
      ".spec.containers[0].whatever: is not a field of Kubernetes' Container, got 1. Check its spelling, or remove it.",
      expect.stringContaining(".kind: is not a field of Kubernetes' PodTemplateSpec"),
    ]);
  });

  it("names every value of a wrong type", () => {
    expect(
      lines({
        metadata: { annotations: { a: ["b"] } },
        spec: {
          terminationGracePeriodSeconds: "60",
          automountServiceAccountToken: "false",
          volumes: { tmp: {} },
          securityContext: 1000,
          tolerations: [null],
          containers: [{ name: "user-service", readinessProbe: { httpGet: { port: 80.5 } } }],
        },
      }),
    ).toEqual([
      '.metadata.annotations.a: must be text, got ["b"]. Put the value in quotes.',
      '.spec.terminationGracePeriodSeconds: must be a whole number, got "60". Write it without quotes and without a unit.',
      '.spec.automountServiceAccountToken: must be true or false, got "false". Write true or false, without quotes.',
      '.spec.volumes: must be a list, got {"tmp":{}}. Write each element after a hyphen.',
      ".spec.securityContext: must be a map of keys, got 1000. Write its fields below it.",
      ".spec.tolerations[0]: must not be null, which removes fields only, got null. Remove it; to leave out the whole list, set the list to null.",
      ".spec.containers[0].readinessProbe.httpGet.port: must be a whole number or a name, got 80.5. For example: 8080, or http.",
    ]);
    expect(read("text").problems).toMatchObject([{ path: "services[0].template" }]);
  });

  it("wants the name by which an element is merged, once", () => {
    expect(
      lines({
        spec: {
          volumes: [{ emptyDir: {} }, { name: "tmp" }, { name: "tmp" }],
          ...main({
            volumeMounts: [{ name: "tmp" }],
            ports: [{ containerPort: 1 }, { containerPort: 2 }],
          }).spec,
        },
      }),
    ).toEqual([
      ".spec.volumes[0].name: must be given. Write the name by which it is merged with what the program makes.",
      '.spec.volumes[2].name: must be there once in its list, and is in element 1 too, got "tmp". Write both as one, or give one another name.',
      ".spec.containers[0].volumeMounts[0].mountPath: must be given. Write the mountPath by which it is merged with what the program makes.",
    ]);
  });

  it.each<[string, object, string]>([
    [
      "version",
      { metadata: { labels: { version: "v3" } } },
      ".metadata.labels.version: must be left out: the program sets it",
    ],
    [
      "app",
      { metadata: { labels: { app: null } } },
      ".metadata.labels.app: must be left out: the program sets it",
    ],
    ["labels", { metadata: { labels: null } }, ".metadata.labels: must not be null"],
    [
      "its name",
      { metadata: { name: "pod" } },
      ".metadata.name: must be left out: a pod template has labels and annotations only",
    ],
    [
      "no sidecar",
      { metadata: { annotations: { "sidecar.istio.io/inject": "false" } } },
      ".metadata.annotations.sidecar.istio.io/inject: must be true or left out",
    ],
    [
      "no sidecar, as a label",
      { metadata: { labels: { "sidecar.istio.io/inject": false } } },
      ".metadata.labels.sidecar.istio.io/inject: must be true or left out",
    ],
    ["the spec", { spec: null }, ".spec: must not be null"],
    ["all containers", { spec: { containers: null } }, ".spec.containers: must not be null"],
    [
      "hostNetwork",
      { spec: { hostNetwork: true } },
      ".spec.hostNetwork: must be left out: Istio gives pods in the node's network no sidecar",
    ],
    [
      "serviceAccountName",
      { spec: { serviceAccountName: "other" } },
      ".spec.serviceAccountName: must be left out",
    ],
    [
      "serviceAccount",
      { spec: { serviceAccount: null } },
      ".spec.serviceAccount: must be left out",
    ],
    [
      "ephemeralContainers",
      { spec: { ephemeralContainers: [] } },
      ".spec.ephemeralContainers: must be left out",
    ],
    ["restartPolicy", { spec: { restartPolicy: "Never" } }, ".spec.restartPolicy: must be Always"],
    [
      "the sidecar's user",
      { spec: { securityContext: { runAsUser: 1337 } } },
      ".spec.securityContext.runAsUser: must not be 1337",
    ],
    [
      "the sidecar's group",
      main({ securityContext: { runAsGroup: 1337 } }),
      ".spec.containers[0].securityContext.runAsGroup: must not be 1337",
    ],
    [
      "the image",
      main({ image: "other:1" }),
      ".spec.containers[0].image: must be left out: the image is what a version is released by",
    ],
    [
      "the first port by name",
      main({ ports: [{ name: "http", containerPort: 1 }] }),
      ".spec.containers[0].ports[0]: must not be the service's own port, http",
    ],
    [
      "the first port by number",
      main({ ports: [{ name: "x", containerPort: 8080 }] }),
      ".spec.containers[0].ports[0]: must not be the service's own port, http",
    ],
    ["all ports", main({ ports: null }), ".spec.containers[0].ports: must not be null"],
    [
      "SERVICE_VERSION",
      main({ env: [{ name: "SERVICE_VERSION", value: "v9" }] }),
      ".spec.containers[0].env[0].name: must not be SERVICE_VERSION or CLUSTER_NAME",
    ],
    [
      "a second main container",
      { spec: { initContainers: [{ name: "user-service", image: "a:1" }] } },
      ".spec.initContainers[0].name: must not be the service's name",
    ],
    [
      "a container with no image",
      { spec: { containers: [{ name: "userservice" }] } },
      ".spec.containers[0].image: must be given: userservice is a further container; the service's own is named user-service",
    ],
  ])("must leave to the program: %s", (_, template, line) => {
    const found = lines(template);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(line);
  });

  it("knows the first port of a gRPC service", () => {
    const port = main({ ports: [{ name: "grpc", containerPort: 9000 }] });
    expect(lines(port)).toEqual([]);
    expect(lines(port, { protocol: "grpc" })).toEqual([
      expect.stringContaining(
        ".spec.containers[0].ports[0]: must not be the service's own port, grpc",
      ),
    ]);
  });

  it("tells all problems at once, those of the types and those of the program's own", () => {
    expect(
      lines({
        metadata: { labels: { app: "other" } },
        spec: { hostNetwork: true, restartPolicy: "Never", dnsPolice: "None" },
      }),
    ).toHaveLength(4);
  });
});
