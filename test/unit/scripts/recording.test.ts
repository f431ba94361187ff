import { describe, expect, it } from "vitest";
import { recordingOf } from "../../../scripts/recording.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const secret = (content: object) => ({ [SIGNATURE]: SECRET, ...content });

const STACK = "pulumi:pulumi:Stack::shop-prod";
const urn = (place: string) => `urn:pulumi:prod::shop::${place}`;
const exported = (...resources: object[]) => ({
  version: 3,
  deployment: {
    resources: [
      { urn: urn(STACK), type: "pulumi:pulumi:Stack", outputs: { file: "/home/me/kubeconfig" } },
      ...resources,
    ],
  },
});
const config = (more: object = {}) => ({
  config: {
    "shop:kubeconfig": "/home/me/kubeconfig",
    "shop:mesh": { charts: { directory: "/home/me/charts" } },
    "shop:clusters": [{ name: "cluster-a" }, { name: "cluster-b", kubeconfig: "/home/me/b" }],
    "other:key": "is another program's",
    ...more,
  },
});
const CONFIGMAP = "shop:X$kubernetes:core/v1:ConfigMap::name";
/** What is left of a resource. */
const recorded = (resource: object, place = CONFIGMAP) =>
  recordingOf(exported({ urn: urn(place), ...resource }), config()).resources[0];

describe("a recording of a stack", () => {
  it("has config and outputs without paths of the machine", () => {
    expect(recordingOf(exported(), config())).toEqual({
      project: "shop",
      config: {
        kubeconfig: "kubeconfig",
        mesh: { charts: { directory: "charts" } },
        clusters: [{ name: "cluster-a" }, { name: "cluster-b", kubeconfig: "kubeconfig" }],
      },
      outputs: { file: "kubeconfig" },
      resources: [],
    });
  });

  it("has of a resource what a preview depends on", () => {
    expect(
      recorded({
        id: "some",
        created: "2026-11-29T16:24:50Z",
        parent: urn("shop:X::parent"),
        provider: `${urn("pulumi:providers:kubernetes::cluster-a")}::an-id`,
        inputs: { data: { chart: "/home/me/charts/base.tgz" } },
        outputs: { data: {}, status: {} },
      }),
    ).toEqual({
      urn: CONFIGMAP,
      parent: "shop:X::parent",
      provider: "cluster-a",
      inputs: { data: { chart: "charts/base.tgz" } },
    });
  });

  it("has nothing of what the engine itself makes", () => {
    const provider = "pulumi:providers:kubernetes::default_4_34_2";
    expect(recorded({}, provider)).toBeUndefined();
    expect(recorded({ parent: urn(STACK), provider: `${urn(provider)}::an-id` })).toMatchObject({
      parent: "",
      provider: "",
    });
  });

  it("has no content of secrets, encrypted or not", () => {
    const inputs = {
      encrypted: secret({ ciphertext: "v1:abc" }),
      list: [{ shown: secret({ plaintext: '"abc"' }) }],
    };
    expect(recorded({ inputs })?.inputs).toEqual({
      encrypted: "[secret]",
      list: [{ shown: "[secret]" }],
    });
  });

  it("has a digest of a long text", () => {
    const [one, other] = ["a", "b"].map((end) => `${"x".repeat(200)}${end}`);
    const inputs = recorded({ inputs: { one, same: one, other } })?.inputs ?? {};
    expect(inputs["one"]).toMatch(/^sha256 [0-9a-f]{64}$/);
    expect(inputs["same"]).toBe(inputs["one"]);
    expect(inputs["other"]).not.toBe(inputs["one"]);
  });

  it("has what the program reads of gateways and certificates", () => {
    const status = { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } };
    expect(recorded({ external: true, outputs: { status, spec: {} } })?.state).toEqual({ status });
    const certificate = "pulumi-nodejs:dynamic/istio-canary:Certificate";
    const outputs = { certificate: "PEM", expires: "2027-11-29T16:24:58.000Z" };
    const inputs = { days: 30, issuerCertificate: "PEM", __provider: "code" };
    expect(recorded({ inputs, outputs }, `shop:X$${certificate}::name`)).toMatchObject({
      inputs: { days: 30 },
      state: { expires: "2027-11-29T16:24:58.000Z" },
    });
  });

  it("of a stack in another one's mesh has what the program reads of that stack, without paths", () => {
    const mesh = (kubeconfig: string) => ({
      outputs: {
        mesh: { clusters: [{ name: "cluster-a", kubeconfig }] },
        token: kubeconfig === "kubeconfig" ? "[secret]" : secret({ ciphertext: "v1:abc" }),
      },
      secretOutputNames: ["token"],
    });
    const place = "pulumi:pulumi:StackReference::meshStack";
    const name = "organization/shop/mesh";
    const reference = {
      urn: urn(place),
      external: true,
      provider: `${urn("pulumi:providers:pulumi::default")}::an-id`,
      inputs: { name },
      outputs: { name, ...mesh("/home/me/mesh") },
    };
    const file = { config: { "shop:meshStack": name, "shop:services": [] } };
    const provider = { urn: urn(CONFIGMAP), inputs: { kubeconfig: "/home/me/mesh" } };
    const recording = recordingOf(exported(reference, provider), file);
    expect(recording.config).toEqual({ meshStack: name, services: [] });
    expect(recording.resources).toEqual([
      {
        urn: place,
        parent: "",
        provider: "",
        inputs: { name },
        state: mesh("kubeconfig"),
      },
      { urn: CONFIGMAP, parent: "", provider: "", inputs: { kubeconfig: "kubeconfig" } },
    ]);
  });

  it("is not made of a stack that has secrets in its config", () => {
    const more = { "shop:certificates": { secure: "v1:abc" } };
    expect(() => recordingOf(exported(), config(more))).toThrow("holds secrets");
  });

  it("is not made of a stack in the middle of an update", () => {
    const { deployment } = exported();
    const state = { deployment: { ...deployment, pending_operations: [{}] } };
    expect(() => recordingOf(state, config())).toThrow("pending operations");
  });
});
