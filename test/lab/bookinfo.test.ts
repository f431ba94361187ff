import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KubernetesObject, V1Deployment } from "@kubernetes/client-node";
import { execa } from "execa";
import { loadAll } from "js-yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { labEnvironment, labStack } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackFile, stackKey } from "../../lab/stack-file.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import {
  apply,
  identities,
  identitiesOf,
  removeNamespace,
  untilDeployed,
  versionsSince,
} from "./another-team.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { releaseCommand } from "./release-command.ts";
import { clusters } from "./release.ts";
import { wholeRelease } from "./whole-release.ts";

const settings = labSettings();
const stack = "lab-bookinfo";
const namespace = "bookinfo";
const reviews: ServiceName = { service: "reviews", namespace };
const host = serviceHost(reviews, "cluster.local");
const pulumi = labPulumi(stack);
const file = stackFile(settings, stack);

type Manifest = Required<Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">>;

/** The owner's manifests, as the example has them. */
const manifests = (name: string) =>
  loadAll(readFileSync(path.join(settings.root, "examples/bookinfo", name), "utf8")).filter(
    Boolean,
  ) as Manifest[];
const routes = manifests("routes.yaml");

function inCluster(object: Manifest, cluster: string): KubernetesObject {
  if (object.kind !== "Deployment") return object;
  const { spec } = object as V1Deployment;
  // Load clients want to know who answers.
  for (const each of spec?.template.spec?.containers ?? []) {
    each.args = [
      ...(each.args ?? []).filter((arg) => !arg.startsWith("--cluster")),
      `--cluster=${cluster}`,
    ];
  }
  return object;
}

async function adopt() {
  return releaseCommand(
    "adopt",
    ...clusters.flatMap(({ name }) => ["--context", name]),
    ...["--namespace", namespace, "--stack", stack],
    ...["--mesh-stack", `organization/istio-canary/${labStack}`],
  );
}

async function expectWeight(weight: number): Promise<void> {
  for (const cluster of clusters) {
    expect((await readRoute(cluster, reviews))?.weight, cluster.name).toBe(weight);
    await confirmWeight(cluster, { hosts: [host], canary: "v3", weight }, 30_000);
  }
}

describe("Bookinfo as its owner has deployed it", () => {
  const load: LoadClient[] = [];
  let out: string;
  let pods: string[];
  let rules: string[];

  beforeAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.cancel();
      await pulumi.destroy();
      await pulumi.remove();
    }
    await rm(file, { force: true });
    await removeNamespace(namespace);
    for (const cluster of clusters) {
      for (const object of manifests("bookinfo.yaml")) {
        await apply(cluster, inCluster(object, cluster.name));
      }
      for (const object of routes) await apply(cluster, object);
    }
    await untilDeployed(namespace);
    for (const cluster of clusters)
      load.push(await loadInMesh(cluster, `http://${host}:9080/`, 10));
    out = await mkdtemp(path.join(tmpdir(), "handed-back-"));
    pods = await identities(namespace);
    rules = await identitiesOf(routes);
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await rm(file, { force: true });
    await rm(out, { recursive: true, force: true });
    await removeNamespace(namespace);
  });

  it("is written into a config file, which nothing overwrites", async () => {
    const { exitCode, text } = await adopt();
    expect(exitCode, text).toBe(0);
    expect(text).toContain(
      " - bookinfo/reviews: requests go to v1, and v3 with 0 %, as they do now",
    );
    for (const service of ["productpage", "details", "ratings"]) {
      expect(text).toContain(` - bookinfo/${service}: requests go to all its pods`);
    }
    const written = await readFile(file, "utf8");
    const again = await adopt();
    expect(again.exitCode, again.text).toBe(0);
    expect(await readFile(file, "utf8")).toBe(written);
  });

  it("is adopted with no pod restarted, no rule made anew and no request going another way", async () => {
    await pulumi.create();
    const since = Date.now();
    await pulumi.up("bookinfo: adoption");
    expect(await identities(namespace)).toEqual(pods);
    expect(await identitiesOf(routes)).toEqual(rules);
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1"]));
    expectAnswered(load);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("goes from v1 to v3 by weight, and back", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("bookinfo: 10 %");
    await expectWeight(10);
    const since = Date.now();
    expect(await versionsSince(load, since, 100)).toEqual(clusters.map(() => ["v1", "v3"]));
    const differing = await releaseCommand("eject", "--stack", stack, "--out", out);
    expect(differing.exitCode).toBe(1);
    expect(differing.text).toContain("v3 has 10 %: set weight to 0 or 100 first");
    await pulumi.setWeight(0);
    await pulumi.up("bookinfo: 0 %");
    await expectWeight(0);
    expectAnswered(load);
  });

  it("goes to 100 % and back", { tags: ["campaign"] }, async () => {
    await wholeRelease(pulumi, [{ host, canary: "v3" }], load);
    expect(await identities(namespace)).toEqual(pods);
  });

  it("is found again as the file says it", async () => {
    const { exitCode, text } = await adopt();
    expect(text).toContain("Pulumi.lab-bookinfo.yaml says what the clusters have: 4 services.");
    expect(exitCode).toBe(0);
  });

  it("is imported again once the state is lost", async () => {
    const env = labEnvironment(settings);
    const lose = ["stack", "rm", "--yes", "--force", "--preserve-config", "--stack", stack];
    await execa("pulumi", [...lose, "--non-interactive"], { cwd: settings.root, env });
    await pulumi.create();
    await pulumi.up("bookinfo: after the state was lost");
    expect(await identitiesOf(routes)).toEqual(rules);
    expect((await pulumi.preview()).value).toEqual([]);
    expectAnswered(load);
  });

  it("is handed back, and stays as it is when the stack is destroyed", async () => {
    const { exitCode, text } = await releaseCommand("eject", "--stack", stack, "--out", out);
    expect(exitCode, text).toBe(0);
    for (const { name } of clusters) {
      const files = await readdir(path.join(out, name));
      expect(files).toContain("bookinfo.reviews.yaml");
    }
    expect(await stackKey(file, "services")).toEqual([]);
    const nothing = await releaseCommand("eject", "--stack", stack, "--out", out);
    expect(nothing.exitCode).toBe(0);
    expect(nothing.text).toContain("nothing to hand back");
    const since = Date.now();
    await pulumi.destroy();
    expect(await identities(namespace)).toEqual(pods);
    expect(await identitiesOf(routes)).toEqual(rules);
    for (const cluster of clusters) {
      const found = await cluster.objects.read({
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: reviews.service, namespace },
      });
      expect(JSON.stringify(found.metadata)).not.toMatch(/istio-canary\/|pulumi/);
    }
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1"]));
    expectAnswered(load);
  });
});
