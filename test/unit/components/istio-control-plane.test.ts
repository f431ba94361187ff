import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { IstioControlPlane, type IstioControlPlaneArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";
import { secretValue } from "../../helpers/mocks.ts";

const controlPlane = (more: Partial<IstioControlPlaneArgs> = {}) =>
  record(({ opts }) => {
    new IstioControlPlane(
      "istio",
      {
        cluster: "cluster-a",
        network: "network-a",
        meshId: "prod-mesh",
        version: "1.31.0",
        authority: {
          certificate: pulumi.output("CERT"),
          privateKey: pulumi.output("KEY"),
          root: pulumi.output("ROOT"),
          chain: pulumi.output("CHAIN"),
          expires: pulumi.output("2027-01-01T00:00:00.000Z"),
        },
        ...more,
      },
      opts,
    );
  });

describe("IstioControlPlane", () => {
  it("registers namespace, authority, base and istiod, istiod last", async () => {
    const program = await controlPlane();
    expect(children(program, "istio")).toEqual([
      "kubernetes:core/v1:Namespace istio-namespace",
      "kubernetes:core/v1:Secret istio-cacerts",
      "kubernetes:helm.sh/v3:Release istio-base",
      "kubernetes:helm.sh/v3:Release istio-istiod",
    ]);
    const istiod = program.named("istio-istiod");
    for (const earlier of ["before", "istio-namespace", "istio-cacerts", "istio-base"]) {
      expect(program.waitsFor(istiod, program.named(earlier)), earlier).toBe(true);
    }
    expect(istiod.provider).toBe("here");
  });

  it("installs Istio's CNI agent before istiod, if asked, or leaves it to others", async () => {
    const program = await controlPlane({
      cni: "installed",
      values: { cni: { logLevel: "debug" } },
    });
    const [cni, istiod] = [program.named("istio-cni"), program.named("istio-istiod")];
    expect(cni.inputs).toMatchObject({
      name: "istio-cni",
      namespace: "kube-system",
      chart: "cni",
      version: "1.31.0",
      values: { logLevel: "debug" },
    });
    expect(program.waitsFor(istiod, cni)).toBe(true);
    expect(istiod.inputs["values"]).toMatchObject({ pilot: { cni: { enabled: true } } });
    const hub = await controlPlane({
      ...{ cni: "installed", hub: "registry.example.com/istio" },
      values: { cni: { global: { platform: "openshift" } } },
    });
    expect(hub.named("istio-cni").inputs["values"]).toEqual({
      global: { hub: "registry.example.com/istio", platform: "openshift" },
    });
    const repository = "oci://registry.example.com/charts";
    const digests = { cni: `sha256:${"0".repeat(64)}` };
    const pinned = await controlPlane({ cni: "installed", charts: { repository, digests } });
    expect(pinned.named("istio-cni").inputs["chart"]).toBe(`${repository}/cni@${digests.cni}`);
    const others = await controlPlane({ cni: "existing" });
    expect(children(others, "istio")).not.toContain("kubernetes:helm.sh/v3:Release istio-cni");
    expect(others.named("istio-istiod").inputs["values"]).toMatchObject({
      pilot: { cni: { enabled: true } },
    });
  });

  it("gives sidecars the seccomp profile without which `restricted` refuses them", async () => {
    const program = await controlPlane({ restricted: true });
    expect(program.named("istio-istiod").inputs["values"]).toMatchObject({
      global: { proxy: { seccompProfile: { type: "RuntimeDefault" } } },
    });
  });

  it("names the cluster's network on the namespace", async () => {
    const program = await controlPlane();
    expect(program.named("istio-namespace").inputs["metadata"]).toEqual({
      name: "istio-system",
      labels: { "topology.istio.io/network": "network-a" },
    });
  });

  it("hands istiod its authority as a secret of the four parts it reads", async () => {
    const program = await controlPlane();
    const { metadata, stringData } = program.named("istio-cacerts").inputs;
    expect(metadata).toEqual({ name: "cacerts", namespace: "istio-system" });
    expect(secretValue(stringData)).toEqual({
      "ca-cert.pem": "CERT",
      "ca-key.pem": "KEY",
      "root-cert.pem": "ROOT",
      "cert-chain.pem": "CHAIN",
    });
  });

  it("installs both charts in the pinned version with the mesh's identity", async () => {
    const program = await controlPlane({ hub: "registry.example.com/istio" });
    expect(program.named("istio-base").inputs).toMatchObject({
      name: "istio-base",
      chart: "base",
      version: "1.31.0",
      values: { base: { validationFailurePolicy: "Fail" } },
    });
    expect(program.named("istio-istiod").inputs).toMatchObject({
      name: "istiod",
      namespace: "istio-system",
      chart: "istiod",
      version: "1.31.0",
      values: {
        base: { validationFailurePolicy: "Fail" },
        global: {
          meshID: "prod-mesh",
          multiCluster: { clusterName: "cluster-a" },
          network: "network-a",
          hub: "registry.example.com/istio",
          tag: "1.31.0",
        },
        meshConfig: {
          trustDomain: "cluster.local",
          accessLogFile: "/dev/stdout",
          defaultConfig: { proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true" } },
        },
      },
    });
  });

  it("runs two istiods, apart from each other, so that a node that goes leaves one", async () => {
    const program = await controlPlane();
    expect(program.named("istio-istiod").inputs["values"]).toMatchObject({
      autoscaleMin: 2,
      replicaCount: 2,
      topologySpreadConstraints: ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map(
        (topologyKey) => ({
          maxSkew: 1,
          topologyKey,
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { app: "istiod" } },
        }),
      ),
    });
    const one = { autoscaleMin: 1, replicaCount: 1 };
    const kept = await controlPlane({ values: { istiod: one } });
    expect(kept.named("istio-istiod").inputs["values"]).toMatchObject(one);
  });

  it("merges values key by key, theirs last", async () => {
    const program = await controlPlane({
      values: {
        istiod: {
          meshConfig: { accessLogFile: "", defaultConfig: { proxyMetadata: { A: "b" } } },
        },
      },
    });
    expect(program.named("istio-istiod").inputs["values"]).toMatchObject({
      global: { meshID: "prod-mesh" },
      meshConfig: {
        accessLogFile: "",
        defaultConfig: { proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true", A: "b" } },
      },
    });
  });
});
