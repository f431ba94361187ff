import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { describeMesh, joinMesh, meshStackOf } from "../../../stacks/mesh-stack.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const NEW = "1-31-1";
const both = [{ name: "default" }, { name: NEW, version: "1.31.1" }];

/** A configuration with more keys of the mesh, and of the stack. */
function withMesh(mesh: object, more: object = {}) {
  const raw = rawConfig({ weight: 0 });
  return { ...raw, ...more, mesh: { ...raw.mesh, ...mesh } };
}

function problems(mesh: object, more: object = {}): readonly string[] {
  return parseConfig(withMesh(mesh, more)).problems.map(problemLine);
}

function settingsOf(mesh: object, more: object = {}): Settings {
  const { settings, problems: found } = parseConfig(withMesh(mesh, more));
  if (!settings || "meshStack" in settings) throw new Error(found.map(problemLine).join("\n"));
  return settings;
}

/** What the program registers. */
async function registered(mesh: object, more: object = {}): Promise<Recording> {
  const settings = settingsOf(mesh, more);
  const program = await recordProgram();
  const { clusters } = installMesh(settings);
  releaseServices(settings, clusters, planRelease(settings, []));
  await program.settle();
  return program;
}

const metadataOf = (program: Recording, name: string) =>
  program.named(name).inputs["metadata"] as { readonly labels: object };
const valuesOf = (program: Recording, name: string) =>
  program.named(name).inputs["values"] as Readonly<Record<string, unknown>>;
const template = (program: Recording, name: string) =>
  program.named(name).inputs["spec"] as {
    readonly template: { readonly metadata: { readonly annotations?: object } };
  };

describe("control planes side by side", () => {
  it("are none where the configuration says nothing of them", async () => {
    const program = await registered({});
    const releases = program.ofType("kubernetes:helm.sh/v3:Release").map(({ name }) => name);
    expect(releases.toSorted()).toEqual(
      ["a", "b"]
        .flatMap((letter) => [
          `east-west-gateway-cluster-${letter}-release`,
          `ingress-gateway-cluster-${letter}-release`,
          `istio-cluster-${letter}-base`,
          `istio-cluster-${letter}-istiod`,
        ])
        .toSorted(),
    );
    expect(valuesOf(program, "istio-cluster-a-istiod")).not.toHaveProperty("revision");
    expect(
      template(program, "user-service.user-cluster-a-v1").template.metadata,
    ).not.toHaveProperty("annotations");
  });

  it("are one release of the chart each, one cluster after the other, with the newest definitions", async () => {
    const program = await registered({ revisions: both });
    const next = program.named(`istio-cluster-b-istiod-${NEW}`);
    expect(next.inputs).toMatchObject({
      name: `istiod-${NEW}`,
      chart: "istiod",
      version: "1.31.1",
      values: { revision: NEW, global: { tag: "1.31.1" } },
    });
    expect(program.waitsFor(next, program.named(`istio-cluster-a-istiod-${NEW}`))).toBe(true);
    expect(program.named("istio-cluster-a-base").inputs["version"]).toBe("1.31.1");
    expect(program.named("istio-cluster-a-istiod").inputs["version"]).toBe("1.31.0");
    expect(program.named("east-west-gateway-cluster-a-release").inputs["version"]).toBe("1.31.0");
  });

  it("are read by the other clusters with a role of each: it goes with its control plane", async () => {
    const program = await registered({ revisions: both });
    const bindings = program
      .ofType("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
      .filter(({ name }) => name.startsWith("remote-secret-cluster-a"));
    expect(
      bindings.map(({ inputs }) => (inputs["roleRef"] as { name: string }).name).sort(),
    ).toEqual([
      `istio-reader-clusterrole-${NEW}-istio-system`,
      "istio-reader-clusterrole-istio-system",
    ]);
  });

  it("are only in the clusters that are listed", async () => {
    const program = await registered({
      revisions: [both[0], { ...both[1], clusters: ["cluster-b"] }],
    });
    const names = program.ofType("kubernetes:helm.sh/v3:Release").map(({ name }) => name);
    expect(names).toContain(`istio-cluster-b-istiod-${NEW}`);
    expect(names).not.toContain(`istio-cluster-a-istiod-${NEW}`);
  });
});

describe("a namespace that is moved", () => {
  const dataPlane = [
    { namespace: "user", revision: NEW, clusters: ["cluster-a"] },
    { namespace: "istio-ingress", revision: NEW, clusters: ["cluster-a"] },
    { namespace: "istio-system", revision: NEW, clusters: ["cluster-b"] },
  ];

  it("has the label of the revision, and its pods are rolled after its istiod is there", async () => {
    const program = await registered({ revisions: both }, { dataPlane });
    expect(metadataOf(program, "user-cluster-a").labels).toEqual({ "istio.io/rev": NEW });
    expect(metadataOf(program, "user-cluster-b").labels).toEqual({ "istio-injection": "enabled" });
    const pods = "user-service.user-cluster-a-v1";
    expect(template(program, pods).template.metadata.annotations).toEqual({
      "istio-canary/revision": NEW,
    });
    expect(
      program.waitsFor(program.named(pods), program.named(`istio-cluster-a-istiod-${NEW}`)),
    ).toBe(true);
    expect(
      template(program, "user-service.user-cluster-b-v1").template.metadata,
    ).not.toHaveProperty("annotations");
  });

  it("may be that of gateways, whose chart follows", async () => {
    const program = await registered({ revisions: both }, { dataPlane });
    expect(metadataOf(program, "ingress-gateway-cluster-a-namespace").labels).toEqual({
      "istio.io/rev": NEW,
    });
    expect(program.named("ingress-gateway-cluster-a-release").inputs).toMatchObject({
      version: "1.31.1",
      values: { revision: NEW },
    });
    expect(valuesOf(program, "east-west-gateway-cluster-a-release")).not.toHaveProperty("revision");
    expect(valuesOf(program, "east-west-gateway-cluster-b-release")).toMatchObject({
      revision: NEW,
    });
  });
});

describe("the tag default", () => {
  const tags = [{ name: "default", revision: NEW, clusters: ["cluster-a"] }];

  it("takes over what is labelled for injection, before the webhook of the other one goes", async () => {
    const program = await registered({ revisions: both, tags });
    const tag = program.named("istio-cluster-a-tag-default");
    expect(tag.inputs).toMatchObject({
      metadata: {
        name: "istio-revision-tag-default",
        labels: { "istio.io/tag": "default", "istio.io/rev": NEW },
      },
    });
    const webhooks = tag.inputs["webhooks"] as readonly {
      readonly name: string;
      readonly clientConfig: { readonly service: { readonly name: string } };
      readonly namespaceSelector: object;
    }[];
    expect(webhooks.map(({ name }) => name)).toEqual([
      "rev.namespace.sidecar-injector.istio.io",
      "rev.object.sidecar-injector.istio.io",
      "namespace.sidecar-injector.istio.io",
      "object.sidecar-injector.istio.io",
    ]);
    expect(new Set(webhooks.map(({ clientConfig }) => clientConfig.service.name))).toEqual(
      new Set([`istiod-${NEW}`]),
    );
    const old = program.named("istio-cluster-a-istiod");
    expect(old.inputs["values"]).toMatchObject({ global: { operatorManageWebhooks: true } });
    expect(program.waitsFor(old, tag)).toBe(true);
    for (const pods of ["user-service.user-cluster-a-v1", "ingress-gateway-cluster-a-release"]) {
      expect(program.waitsFor(program.named(pods), old), pods).toBe(true);
    }
    expect(valuesOf(program, "istio-cluster-a-base")).toMatchObject({ defaultRevision: NEW });
    expect(valuesOf(program, "istio-cluster-b-base")).not.toHaveProperty("defaultRevision");
    expect(valuesOf(program, "istio-cluster-b-istiod")["global"]).not.toHaveProperty(
      "operatorManageWebhooks",
    );
  });

  it("rolls pods and gateways of namespaces that name no revision", async () => {
    const program = await registered({ revisions: both, tags });
    expect(metadataOf(program, "user-cluster-a").labels).toEqual({ "istio-injection": "enabled" });
    expect(
      template(program, "user-service.user-cluster-a-v1").template.metadata.annotations,
    ).toEqual({ "istio-canary/revision": NEW });
    expect(valuesOf(program, "east-west-gateway-cluster-a-release")).toMatchObject({
      revision: NEW,
    });
  });

  it("lets the control plane without a revision go", async () => {
    const everywhere = [{ name: "default", revision: NEW }];
    const program = await registered({ revisions: both.slice(1), tags: everywhere });
    const names = program.ofType("kubernetes:helm.sh/v3:Release").map(({ name }) => name);
    expect(names).not.toContain("istio-cluster-a-istiod");
  });
});

describe("another tag", () => {
  it("is what a namespace is labelled with, and its revision what rolls the pods", async () => {
    const program = await registered(
      { revisions: both, tags: [{ name: "prod", revision: NEW }] },
      { dataPlane: [{ namespace: "user", revision: "prod" }] },
    );
    expect(metadataOf(program, "user-cluster-a").labels).toEqual({ "istio.io/rev": "prod" });
    expect(
      template(program, "user-service.user-cluster-a-v1").template.metadata.annotations,
    ).toEqual({ "istio-canary/revision": NEW });
    const { webhooks } = program.named("istio-cluster-a-tag-prod").inputs as {
      webhooks: readonly unknown[];
    };
    expect(webhooks).toHaveLength(2);
  });
});

describe("the configuration", () => {
  it.each([
    {
      what: "a cluster without a control plane, or without one for what names none",
      mesh: { revisions: [{ name: NEW, clusters: ["cluster-a"] }] },
      told: [
        " - mesh.revisions: must keep default in cluster-a, where no tag default replaces it: namespaces with the label istio-injection: enabled would get no sidecars, and nothing would check Istio's objects. Add { name: default } to mesh.revisions, or a tag default to mesh.tags.",
        " - mesh.revisions: must leave every cluster a control plane, but cluster-b has none. Add the cluster to one of them.",
      ],
    },
    {
      what: "versions that are not supported, or too far apart",
      mesh: {
        istioVersion: "1.29.0",
        revisions: [
          { name: "default" },
          { name: NEW, version: "1.31.0" },
          { name: "x", version: "1.28.0" },
        ],
      },
      told: [
        ' - mesh.revisions[2].version: must be a version that this program supports, 1.31, got "1.28.0". Take one of those, or a version of this program that supports it.',
        " - mesh.revisions: must not skip a minor version of Istio, but in cluster-a default is 1.29.0, and 1-31-1 1.31.0. Upgrade to the minor version between them first.",
        " - mesh.revisions: must not skip a minor version of Istio, but in cluster-b default is 1.29.0, and 1-31-1 1.31.0. Upgrade to the minor version between them first.",
      ],
    },
    {
      what: "two entries of a name, and clusters that are none",
      mesh: { revisions: [...both, { name: NEW, clusters: ["elsewhere"] }] },
      told: [
        ' - mesh.revisions[2].name: must be different in each entry (same as mesh.revisions[1].name), got "1-31-1". Remove one of them, or list the clusters of both in one.',
        ' - mesh.revisions[2].clusters[0]: must be the name of a cluster, got "elsewhere". Name one of cluster-a, cluster-b.',
      ],
    },
    {
      what: "tags that lead nowhere",
      mesh: {
        revisions: [both[0], { ...both[1], clusters: ["cluster-a"] }],
        tags: [
          { name: "default", revision: NEW },
          { name: NEW, revision: "default" },
          { name: "default", revision: NEW, clusters: ["cluster-a"] },
        ],
      },
      told: [
        ' - mesh.tags[0].revision: must be a revision of each cluster of the tag, but cluster-b has none of that name, got "1-31-1". Add it to mesh.revisions, or list the clusters of the tag.',
        ' - mesh.tags[1].name: must not be the name of a revision too, got "1-31-1". Give the tag another name.',
        ' - mesh.tags[1].revision: must be a revision with a name, got "default". Name another one of mesh.revisions.',
        ' - mesh.tags[2]: must not be about a cluster twice: mesh.tags[0] is about cluster-a too, got "default". List the clusters of each, so that none is in both.',
      ],
    },
    {
      what: "namespaces of others, revisions that are not there, and two for one namespace",
      mesh: { revisions: [both[0], { ...both[1], clusters: ["cluster-a"] }] },
      more: {
        dataPlane: [
          { namespace: "team", revision: "default" },
          { namespace: "user", revision: NEW },
          { namespace: "user", revision: "default", clusters: ["cluster-b"] },
        ],
      },
      told: [
        ' - dataPlane[0].namespace: must be a namespace that this stack makes: user, istio-ingress, istio-system, got "team". Move other namespaces by their label, as docs/upgrades.md tells.',
        ' - dataPlane[1].revision: must be a revision or a tag of each of its clusters, but cluster-b has none of that name, got "1-31-1". Add it to mesh.revisions or mesh.tags, and bring it there first, or list the clusters that have it.',
        ' - dataPlane[2]: must not be about a cluster twice: dataPlane[1] is about cluster-b too, got "user". List the clusters of each, so that none is in both.',
      ],
    },
  ])("has its problems with $what", ({ mesh, more, told }) => {
    expect(problems(mesh, more)).toEqual(told);
  });

  it("are not held against clusters, control planes or gateways that are wrong by themselves", () => {
    const clusters = rawConfig({ weight: 0 }).clusters.map((cluster, i) =>
      i === 0 ? { ...cluster, eastwestPort: 15443 } : cluster,
    );
    const somewhere = [both[0], { ...both[1], clusters: ["cluster-b"] }];
    const tags = [{ name: "prod", revision: NEW, clusters: ["cluster-b"] }];
    const dataPlane = [
      { namespace: "user", revision: "prod", clusters: ["cluster-b"] },
      { namespace: "istio-ingress", revision: NEW, clusters: ["cluster-b"] },
    ];
    const paths = (mesh: object, more: object) =>
      parseConfig(withMesh(mesh, { dataPlane, ...more })).problems.map(({ path }) => path);
    const all = { revisions: somewhere, tags };
    expect(paths(all, {})).toEqual([]);
    expect(paths(all, { clusters })).toEqual(["clusters[0].eastwestPort"]);
    expect(paths({ ...all, trustdomain: "x" }, {})).toEqual(["mesh.trustdomain"]);
    expect(paths(all, { ingress: { hosts: ["a.example.com"], host: "x" } })).toEqual([
      "ingress.host",
    ]);
  });

  it("of others' Istio has no such keys", () => {
    const { kubeconfig, clusters, services } = rawConfig({ weight: 0 });
    const { problems: found } = parseConfig({
      ...{ kubeconfig, clusters, services },
      mesh: { istio: "existing", revisions: both, tags: [] },
      dataPlane: [{ namespace: "user", revision: NEW }],
    });
    const paths = found
      .filter(({ rule }) => rule.startsWith("must be left out where others have installed Istio"))
      .map(({ path }) => path);
    expect(paths).toEqual(["mesh.revisions", "mesh.tags", "dataPlane"]);
  });
});

describe("a stack whose mesh is another one's", () => {
  it("is told of control planes and tags, and moves its own namespaces", async () => {
    const mesh = describeMesh(
      settingsOf({ revisions: both, tags: [{ name: "default", revision: NEW }] }),
    );
    const cluster = (letter: string) => ({
      network: `network-${letter}`,
      istioVersion: "1.31.0",
      caExpires: "2031-01-01T00:00:00.000Z",
      gateways: { eastWest: ["203.0.113.1"], ingress: ["203.0.113.2"] },
      traffic: {},
    });
    const found = meshStackOf("org/mesh/prod", {
      mesh,
      rootCaExpires: "2031-01-01T00:00:00.000Z",
      clusters: { "cluster-a": cluster("a"), "cluster-b": cluster("b") },
    });
    if ("rule" in found) throw new Error(found.rule);
    const { services } = rawConfig({ weight: 0 });
    const { kubeconfig } = rawConfig();
    const own = (dataPlane: readonly object[]) =>
      parseConfig(
        {
          ...{ kubeconfig, meshStack: "org/mesh/prod", weight: 0, phases: [100], dataPlane },
          services: services.map((service) => ({ ...service, ingressHosts: [] })),
        },
        new Date(),
        found,
      );
    expect(own([{ namespace: "istio-system", revision: NEW }]).problems.map(problemLine)).toEqual([
      ' - dataPlane[0].namespace: must be a namespace that this stack makes: user, got "istio-system". Move other namespaces by their label, as docs/upgrades.md tells.',
    ]);
    const { settings } = own([{ namespace: "user", revision: "default", clusters: ["cluster-a"] }]);
    if (!settings || !("meshStack" in settings)) throw new Error("the configuration is right");
    const program = await recordProgram();
    const { clusters } = joinMesh(settings);
    releaseServices(settings, clusters, planRelease(settings, []));
    await program.settle();
    expect(
      template(program, "user-service.user-cluster-a-v1").template.metadata.annotations,
    ).toEqual({ "istio-canary/revision": NEW });
  });
});
