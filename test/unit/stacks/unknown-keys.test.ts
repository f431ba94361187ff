import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { loadConfig, parseConfig } from "../../../stacks/config.ts";
import { misspeltNamespaces } from "../../../stacks/unknown-keys.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

type Raw = ReturnType<typeof rawConfig>;

function lines(change: (raw: Raw) => Record<string, unknown>): string[] {
  const raw = rawConfig();
  return parseConfig({ ...raw, ...change(raw) }).problems.map(problemLine);
}

describe("an unknown key", () => {
  it.each<[string, (raw: Raw) => Record<string, unknown>, string]>([
    [
      "at the top",
      () => ({ wieght: 10 }),
      " - wieght: is not a configuration key. Did you mean weight? Remove it with: pulumi config rm wieght",
    ],
    [
      "of the mesh",
      ({ mesh }) => ({ mesh: { ...mesh, istio_version: "1.31.0" } }),
      " - mesh.istio_version: is not a configuration key. Did you mean istioVersion? docs/configuration.md describes all keys.",
    ],
    [
      "of the Helm values",
      ({ mesh }) => ({ mesh: { ...mesh, values: { istoid: {} } } }),
      " - mesh.values.istoid: is not a configuration key. Did you mean istiod? docs/configuration.md describes all keys.",
    ],
    [
      "of a cluster in the list",
      ({ clusters }) => ({
        clusters: clusters.map((c, i) => (i === 1 ? { ...c, apiserver: "https://b:6443" } : c)),
      }),
      " - clusters[1].apiserver: is not a configuration key. Did you mean apiServer? docs/configuration.md describes all keys.",
    ],
    [
      "of a version of a service",
      ({ services }) => ({
        services: services.map((s) => ({ ...s, stable: { ...s.stable, replica: 3 } })),
      }),
      " - services[0].stable.replica: is not a configuration key. Did you mean replicas? docs/configuration.md describes all keys.",
    ],
    [
      "that would let a service run in some clusters only",
      ({ services }) => ({ services: services.map((s) => ({ ...s, clusters: ["cluster-a"] })) }),
      " - services[0].clusters: must be left out: a service runs in every cluster of the stack, since each cluster's canary is judged by its own requests, and each cluster has a host of its own for it. " +
        "Deploy it in the others too, with as few pods as they need, or leave the service out of this config: without this program's routes, requests of all clusters go to its pods, wherever these are.",
    ],
    [
      "of a match",
      ({ services }) => ({
        services: services.map((s) => ({
          ...s,
          matches: [{ headers: { "x-canary": "true" }, cookie: { a: "b" } }],
        })),
      }),
      " - services[0].matches[0].headers: is not a configuration key. Did you mean header? docs/configuration.md describes all keys.",
    ],
    [
      "that resembles none",
      ({ mesh }) => ({ mesh: { ...mesh, colour: "green" } }),
      " - mesh.colour: is not a configuration key. Check its spelling, or remove it; docs/configuration.md describes all keys.",
    ],
    [
      "that has the name of something every object has",
      () => ({ constructor: 1 }),
      " - constructor: is not a configuration key. Remove it with: pulumi config rm constructor",
    ],
  ])("%s is an error that names the key that was meant", (_, change, line) => {
    expect(lines(change)).toEqual([line]);
  });

  it("of a map by cluster is named, and its value is not shown", () => {
    const found = lines(() => ({
      certificates: { clusters: { "cluster-a": { certificat: "hush" } } },
    }));
    expect(found).toContain(
      " - certificates.clusters.cluster-a.certificat: is not a configuration key. Did you mean certificate? docs/configuration.md describes all keys.",
    );
    expect(found.join()).not.toContain("hush");
  });
});

describe("a key of another namespace", () => {
  it("is an error if the namespace is almost the project's", () => {
    expect(
      misspeltNamespaces(
        ["istio-canray:weight", "istiocanary:weight", "istio-canary:weight"],
        "istio-canary",
      ).map(problemLine),
    ).toEqual([
      " - istio-canray:weight: is in a namespace that no program uses. Did you mean istio-canary:weight? Remove it with: pulumi config rm istio-canray:weight",
      " - istiocanary:weight: is in a namespace that no program uses. Did you mean istio-canary:weight? Remove it with: pulumi config rm istiocanary:weight",
    ]);
  });

  it("is let alone otherwise", () => {
    const names = ["pulumi:tags", "kubernetes:context", "istio:weight", "aws:region"];
    expect(misspeltNamespaces(names, "istio-canary")).toEqual([]);
  });
});

describe("the stack that Pulumi runs", () => {
  beforeEach(async () => {
    await recordProgram();
  });

  it("is refused with keys that the program would never read", async () => {
    const config = Object.entries({ ...rawConfig(), wieght: 30 }).map(([key, value]) => [
      `istio-canary:${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    pulumi.runtime.setAllConfig({
      ...(Object.fromEntries(config) as Record<string, string>),
      "istio-canray:phases": "[100]",
      "kubernetes:context": "prod-a",
    });
    await expect(loadConfig()).rejects.toThrow(
      [
        "The configuration of stack test has 2 problems (Pulumi.test.yaml):",
        " - istio-canray:phases: is in a namespace that no program uses. Did you mean istio-canary:phases? Remove it with: pulumi config rm istio-canray:phases",
        " - wieght: is not a configuration key. Did you mean weight? Remove it with: pulumi config rm wieght",
      ].join("\n"),
    );
  });
});
