import { describe, expect, it } from "vitest";
import { mergePodTemplate } from "../../../lib/pod-template.ts";

const own = {
  metadata: { labels: { app: "web", version: "v1" } },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 65532 },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "kubernetes.io/hostname" }],
    initContainers: [],
    volumes: [],
    containers: [
      {
        name: "web",
        image: "web:v1",
        args: ["--port=8080"],
        env: [
          { name: "LEVEL", value: "info" },
          { name: "CLUSTER_NAME", value: "cluster-a" },
        ],
        ports: [{ name: "http", containerPort: 8080 }],
        volumeMounts: [],
        readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 5 },
      },
    ],
  },
};
const merged = (spec: Readonly<Record<string, unknown>>) =>
  mergePodTemplate(own, { spec }).spec ?? {};
const main = (container: Readonly<Record<string, unknown>>) =>
  (merged({ containers: [{ name: "web", ...container }] })["containers"] as object[])[0];

describe("a pod template over another one", () => {
  it("changes nothing if it is empty", () => {
    expect(mergePodTemplate(own, {})).toEqual(own);
    expect(
      mergePodTemplate(own, { metadata: {}, spec: { containers: [{ name: "web" }] } }),
    ).toEqual(own);
  });

  it("adds to maps, and replaces single values", () => {
    const { metadata } = mergePodTemplate(own, {
      metadata: { labels: { team: "a" }, annotations: { b: "c" } },
    });
    expect(metadata).toEqual({
      labels: { app: "web", version: "v1", team: "a" },
      annotations: { b: "c" },
    });
    expect(merged({ securityContext: { runAsUser: 1000 } })["securityContext"]).toEqual({
      runAsNonRoot: true,
      runAsUser: 1000,
    });
  });

  it("leaves out what is null, at any depth, also where nothing was", () => {
    expect(
      merged({
        securityContext: { runAsUser: null, fsGroup: null },
        affinity: { nodeAffinity: null },
        topologySpreadConstraints: null,
      }),
    ).toEqual({
      ...own.spec,
      securityContext: { runAsNonRoot: true },
      affinity: {},
      topologySpreadConstraints: undefined,
    });
    expect(merged({ topologySpreadConstraints: null })).not.toHaveProperty(
      "topologySpreadConstraints",
    );
    expect(
      merged({ containers: [{ name: "side", image: "side:1", args: null }] })["containers"],
    ).toEqual([...own.spec.containers, { name: "side", image: "side:1" }]);
  });

  it("merges containers, variables, ports, volumes and secrets by name, and mounts by path", () => {
    const spec = merged({
      containers: [
        { name: "side", image: "side:1" },
        {
          name: "web",
          env: [{ name: "ZONE", value: "z" }],
          ports: [{ name: "admin", containerPort: 9000 }, { containerPort: 9001 }],
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
        },
      ],
      initContainers: [{ name: "wait", image: "wait:1" }],
      volumes: [{ name: "tmp", emptyDir: {} }],
      imagePullSecrets: [{ name: "registry" }],
    });
    expect(spec).toMatchObject({
      containers: [
        {
          name: "web",
          image: "web:v1",
          env: [
            { name: "LEVEL", value: "info" },
            { name: "CLUSTER_NAME", value: "cluster-a" },
            { name: "ZONE", value: "z" },
          ],
          ports: [
            { name: "http", containerPort: 8080 },
            { name: "admin", containerPort: 9000 },
            { containerPort: 9001 },
          ],
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
        },
        { name: "side", image: "side:1" },
      ],
      initContainers: [{ name: "wait", image: "wait:1" }],
      volumes: [{ name: "tmp", emptyDir: {} }],
      imagePullSecrets: [{ name: "registry" }],
    });
    const twice = mergePodTemplate(
      { spec },
      {
        spec: {
          containers: [{ name: "web", volumeMounts: [{ mountPath: "/tmp", readOnly: true }] }],
        },
      },
    );
    expect(twice.spec).toMatchObject({
      containers: [
        { volumeMounts: [{ name: "tmp", mountPath: "/tmp", readOnly: true }] },
        { name: "side" },
      ],
    });
  });

  it("replaces all other lists", () => {
    const zones = [{ maxSkew: 1, topologyKey: "topology.kubernetes.io/zone" }];
    expect(merged({ topologySpreadConstraints: zones })).toMatchObject({
      topologySpreadConstraints: zones,
    });
    expect(main({ args: ["--port=8080", "--more"] })).toMatchObject({
      args: ["--port=8080", "--more"],
    });
  });

  it("takes another probe or source of a variable instead of what was there", () => {
    const valueFrom = { configMapKeyRef: { name: "web", key: "level" } };
    expect(main({ env: [{ name: "LEVEL", valueFrom }] })).toHaveProperty("env.0", {
      name: "LEVEL",
      valueFrom,
    });
    expect(main({ readinessProbe: { tcpSocket: { port: 8080 } } })).toHaveProperty(
      "readinessProbe",
      { tcpSocket: { port: 8080 }, periodSeconds: 5 },
    );
    expect(main({ readinessProbe: { httpGet: { path: "/ready" } } })).toHaveProperty(
      "readinessProbe.httpGet",
      { path: "/ready", port: "http" },
    );
  });
});
