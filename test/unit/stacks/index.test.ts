import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeployedRoute } from "../../../lib/deployed.ts";
import { loadConfig, parseConfig } from "../../../stacks/config.ts";
import { schema } from "../../../stacks/schema.ts";
import { kubeconfigFile, rawConfig } from "../../helpers/fixtures.ts";
import { configure, recordProgram, valueOf, type Recording } from "../../helpers/mocks.ts";

/** The clusters of the fixture are nowhere: this is what they have. */
const found = vi.hoisted(() => ({
  routes: new Map<string, DeployedRoute>(),
  notes: {},
}));
vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: (clusters) =>
    Promise.resolve(
      clusters.map(({ name }) => ({ name, unreachable: undefined, routes: found.routes })),
    ),
}));
vi.mock(import("../../../fleet/remote-reads.ts"), () => ({
  waitForReads: () => Promise.resolve([]),
  unreadNow: () => Promise.resolve([]),
}));
vi.mock(import("../../../fleet/drain-marks.ts"), async (original) => ({
  ...(await original()),
  drainMarks: () => Promise.resolve(new Map()),
}));
vi.mock(import("../../../fleet/strangers.ts"), () => ({ strangersIn: () => Promise.resolve([]) }));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: () => Promise.resolve(found.notes),
  writeNotes: () => Promise.resolve(),
}));

const yaml = (file: string) =>
  load(readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8")) as {
    config: Record<string, unknown>;
  };

const KEY = "user/user-service";

/** How a cluster routes the service at a weight. */
function deployedRoute(weight: number): DeployedRoute {
  const route = { stable: "v1", canary: "v2", weight, generation: 4, rules: [], images: {} };
  return { ...route, replaces: undefined };
}

let program: Recording;
afterEach(() => {
  found.routes = new Map();
  vi.unstubAllEnvs();
});
beforeEach(async () => {
  program = await recordProgram();
});

describe("the program", () => {
  it("tells for each cluster its gateways, traffic, CA expiry and Istio version", async () => {
    found.routes = new Map([[KEY, deployedRoute(10)]]);
    configure({ ...rawConfig(), weight: "10" });
    const outputs = await import("../../../index.ts");
    await program.settle();
    const outside = { v1: 90, v2: 10 };
    const cluster = (letter: string, address: string) => ({
      network: `network-${letter}`,
      istioVersion: "1.31.0",
      caExpires: "2027-01-01T00:00:00.000Z",
      gateways: { eastWest: [address], ingress: [address] },
      traffic: { "user/user-service": outside },
    });
    expect(await valueOf(outputs.weight)).toBe(10);
    expect(await valueOf(outputs.rootCaExpires)).toBe("2027-01-01T00:00:00.000Z");
    expect(await valueOf(pulumi.output(outputs.clusters))).toEqual({
      "cluster-a": cluster("a", "203.0.113.1"),
      "cluster-b": cluster("b", "203.0.113.2"),
    });
  });

  it("makes a route without weight, whatever is configured", async () => {
    configure({ ...rawConfig(), weight: "10", allow: ["skip-phase"] });
    vi.resetModules();
    const outputs = await import("../../../index.ts");
    await program.settle();
    expect(await valueOf(outputs.weight)).toBe(0);
    expect(await valueOf(pulumi.output(outputs.clusters))).toMatchObject({
      "cluster-a": { traffic: { [KEY]: { v1: 100, v2: 0 } } },
    });
  });

  it("keeps the outputs of an update that fails before they are known: has none of its own as it begins", async () => {
    configure({ ...rawConfig(), weight: "10", allow: ["skip-phase"] });
    const monitor = pulumi.runtime.getMonitor() as unknown as {
      registerResourceOutputs: (
        request: { getUrn(): string; getOutputs(): { toJavaScript(): object } },
        callback: () => void,
      ) => void;
    };
    const registered: { readonly outputs: readonly string[]; readonly resources: number }[] = [];
    vi.spyOn(monitor, "registerResourceOutputs").mockImplementation((request, callback) => {
      if (request.getUrn().includes("::pulumi:pulumi:Stack::")) {
        registered.push({
          outputs: Object.keys(request.getOutputs().toJavaScript()),
          resources: program.resources.length,
        });
      }
      callback();
    });
    vi.resetModules();
    await pulumi.runtime.runInPulumiStack(() => import("../../../index.ts"));
    await program.settle();
    // The stack itself is the only resource that is there.
    expect(registered[0]).toEqual({ outputs: [], resources: 1 });
    expect(registered.slice(1).map(({ outputs }) => outputs.toSorted())).toEqual([
      ["clusters", "mesh", "rootCaExpires", "versions", "weight"],
    ]);
  });

  it("leaves a canary as it is that was taken back, and tells what it has", async () => {
    vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    const canaries = { [KEY]: "v2 (registry.example.com/user-service:v2)" };
    found.routes = new Map([[KEY, deployedRoute(0)]]);
    found.notes = {
      "configured-test": JSON.stringify({ format: 1, at: 1, weight: 10, canaries }),
    };
    configure({ ...rawConfig(), weight: "10" });
    vi.resetModules();
    const outputs = await import("../../../index.ts");
    await program.settle();
    expect(await valueOf(outputs.weight)).toBe(0);
    expect(await valueOf(pulumi.output(outputs.clusters))).toMatchObject({
      "cluster-a": { traffic: { [KEY]: { v1: 100, v2: 0 } } },
    });
  });

  it("stops with one error that lists all problems, before it registers anything", async () => {
    configure({ ...rawConfig(), weight: 25, phases: [10, 10] });
    await expect(loadConfig()).rejects.toThrow(
      [
        "The configuration of stack test has 1 problem (Pulumi.test.yaml):",
        " - phases: must be whole numbers from 1 to 100 that rise from one to the next and end at 100, got [10,10]. For example: [10, 30, 100].",
      ].join("\n"),
    );
    expect(program.resources).toEqual([]);
  });

  it("refuses modes that would leave out a cluster which does not answer", async () => {
    configure(rawConfig());
    pulumi.runtime.setConfig("kubernetes:skipUpdateUnreachable", "true");
    pulumi.runtime.setConfig("kubernetes:deleteUnreachable", "false");
    vi.stubEnv("PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", "0");
    vi.stubEnv("PULUMI_K8S_DELETE_UNREACHABLE", "True");
    await expect(loadConfig()).rejects.toThrow(
      [
        "The configuration of stack test has 2 problems (Pulumi.test.yaml):",
        " - kubernetes:skipUpdateUnreachable: must not be on: updates of a cluster that does not answer would be skipped and count as done, " +
          'got "true". Remove it with: pulumi config rm kubernetes:skipUpdateUnreachable',
        " - PULUMI_K8S_DELETE_UNREACHABLE: must not be on: Pulumi would forget what runs in a cluster that does not answer, " +
          'got "True". Remove it from the environment: unset PULUMI_K8S_DELETE_UNREACHABLE',
      ].join("\n"),
    );
    expect(program.resources).toEqual([]);
  });

  it("refuses a secret where it would be seen, without showing it", async () => {
    configure({ ...rawConfig(), services: "s3cret", certificates: {} });
    vi.stubEnv(
      "PULUMI_CONFIG_SECRET_KEYS",
      JSON.stringify(["istio-canary:services", "istio-canary:certificates", "other:token"]),
    );
    await expect(loadConfig()).rejects.toThrow(
      [
        "The configuration of stack test has 1 problem (Pulumi.test.yaml):",
        " - services: must not hold a secret: its values are visible in previews, in the state and in the clusters. " +
          "Put it into secrets, name it under secretEnv or secretFiles, and set the value here without --secret.",
      ].join("\n"),
    );
  });
});

describe("Pulumi.yaml", () => {
  it("describes every key that the program reads", () => {
    const { config } = yaml("Pulumi.yaml");
    expect(Object.keys(config).sort()).toEqual(Object.keys(schema).sort());
    for (const [key, declaration] of Object.entries(config)) {
      expect(declaration).toMatchObject({
        // A list of names and maps is one for which the engine has no type.
        ...(key !== "away" && { type: expect.any(String) as unknown }),
        description: expect.any(String) as unknown,
      });
    }
  });
});

describe("Pulumi.prod.yaml", () => {
  it("is a right configuration, given its contexts", () => {
    const { config } = yaml("Pulumi.prod.yaml");
    const raw = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace("istio-canary:", ""), value]),
    );
    const { problems } = parseConfig({ ...raw, kubeconfig: kubeconfigFile() });
    expect(problems).toEqual([]);
  });
});
