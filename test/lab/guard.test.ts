import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { PatchStrategy } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { canariesOf } from "../../fleet/canary-weights.ts";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { explain } from "../../fleet/explain.ts";
import { writeRoutes } from "../../fleet/routing/istio/write-routes.ts";
import { toZero } from "../../fleet/to-zero.ts";
import { labEnvironment } from "../../lab/environment.ts";
import { serviceName } from "../../lab/mesh/service.ts";
import { labSettings } from "../../lab/settings.ts";
import { failureId } from "../../lib/journal.ts";
import { guardAccount } from "../../lib/manifests/guard-policies.ts";
import { readerKubeconfig, type Reader } from "../../lib/reader-kubeconfig.ts";
import { withWeight } from "../../lib/routing/istio/split.ts";
import type { RoutingRules } from "../../lib/routing/routing.ts";
import { until } from "../../lib/until.ts";
import { Journal, type GuardNote } from "../../release/journal.ts";
import { GUARD_FILE, parseGuardFile } from "../../stacks/guard-file.ts";
import { underLoad } from "./load.ts";
import { releaseOf } from "./release-command.ts";
import { clusters, failure, first, second, withOwnRelease } from "./release.ts";

/** No registry has it: the tests run the guards themselves, and a pod that cannot start must fail no update. */
const guard = { image: "registry.invalid/istio-canary:1" };
/** No DNS label: what guards may do must hold for its subset, which has another name. */
const canary = "2.0.0-rc_1";
const own = withOwnRelease("guard", { canary, config: { guard } });
const { stack, service, pulumi, deployed, route, arrival, change, beginAt, expectEverywhere } = own;
const load = underLoad(own, { inMesh: [first], outside: [second] });

const namespace = `istio-canary-guard-${stack}`;
const id = serviceName(service);
const target = { ...id, canary: service.canary };
const settings = labSettings();

let dir: string;

/** How the guard of a cluster reaches another one, by a token like that of its pod. */
async function reader(of: ClusterClient, cluster: ClusterClient): Promise<Reader> {
  const { server = "", caData } = cluster.kubeConfig.getCurrentCluster() ?? {};
  const { status } = await cluster.core.createNamespacedServiceAccountToken({
    name: guardAccount(of.name),
    namespace,
    body: { spec: { audiences: [], expirationSeconds: 3_600 } },
  });
  return {
    cluster: cluster.name,
    apiServer: { server, certificateAuthority: caData },
    token: status?.token ?? "",
  };
}

/** A kubeconfig of the guard of a cluster, for all clusters. */
async function kubeconfigOf(of: ClusterClient): Promise<string> {
  const file = path.join(dir, `${of.name}.yaml`);
  const readers = await Promise.all(clusters.map((cluster) => reader(of, cluster)));
  await writeFile(file, readerKubeconfig(...readers), { mode: 0o600 });
  return file;
}

/** A cluster as the guard of another one, or of itself, may use it. */
async function asGuard(of: ClusterClient, cluster: ClusterClient): Promise<ClusterClient> {
  const kubeconfig = await kubeconfigOf(of);
  return new ClusterClient({ name: cluster.name, context: cluster.name, kubeconfig });
}

/** What a guard notes when a gate has failed at 10 %. */
async function failedNote(of: ClusterClient): Promise<GuardNote> {
  const { data } = await of.core.readNamespacedConfigMap({ namespace, name: "release-guard" });
  const { release } = parseGuardFile(data?.[GUARD_FILE] ?? "");
  const now = Date.now();
  return {
    ...{ format: 1, at: now, cluster: of.name, startedAt: now, release, weight: 10, since: now },
    failures: { consecutive: 1, total: 1 },
    failed: { reason: "the test says so", weight: 10, since: now, at: now },
    ...{ contactAt: now, does: "lower", says: "the test says so" },
  };
}

async function expectDenied(what: () => Promise<unknown>, why: RegExp): Promise<void> {
  const denial = await what().then(
    () => "it was allowed",
    (error: unknown) => explain(error),
  );
  expect(denial).toMatch(why);
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "guard-test-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
});

describe.each([
  { name: "its own cluster", at: first },
  { name: "another cluster", at: second },
])("a guard in $name", ({ at }) => {
  let guarding: ClusterClient;
  const write = async (edit: (rules: RoutingRules) => RoutingRules) =>
    writeRoutes(guarding, id, edit((await route(at)).rules));
  const patch = (more: object) =>
    guarding.objects.patch(
      {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: id.service, namespace: id.namespace },
        ...more,
      },
      undefined,
      undefined,
      undefined,
      undefined,
      PatchStrategy.MergePatch,
    );

  beforeAll(async () => {
    guarding = await asGuard(first, at);
  });
  beforeEach(async () => {
    await beginAt(10);
  });

  it("may lower the canary, to 0 too, and not raise it", async () => {
    const [zeroed] = await toZero([guarding], (cluster) => canariesOf(cluster, [target]), {
      withinMs: 10_000,
    });
    expect(zeroed).toMatchObject({ canaries: [{ before: 10, weight: 0 }] });
    expect(zeroed?.problem).toBeUndefined();
    await expectDenied(
      () => write((rules) => withWeight(rules, service.canary, 1)),
      /the canary's weight may only fall/,
    );
  });

  it("may change nothing else of the VirtualService, even as it lowers", async () => {
    const lowered = (edit: (rules: Record<string, unknown>[]) => RoutingRules) =>
      write((rules) => edit(withWeight(rules, service.canary, 0) as Record<string, unknown>[]));
    const only = /nothing but the weights of its rules may change/;
    await expectDenied(() => lowered((rules) => rules.slice(1)), only);
    await expectDenied(() => lowered((rules) => rules.toReversed()), only);
    await expectDenied(
      () =>
        lowered((rules) => rules.map((rule) => ({ ...rule, match: [{ uri: { prefix: "/" } }] }))),
      only,
    );
    await expectDenied(
      () => lowered((rules) => rules.map((rule) => ({ ...rule, timeout: "99s" }))),
      only,
    );
    await expectDenied(() => patch({ spec: { hosts: ["x.example.com"] } }), only);
    await expectDenied(
      () => patch({ metadata: { name: id.service, namespace: id.namespace, labels: { a: "b" } } }),
      /its labels, annotations, owners and finalizers must stay as they are/,
    );
    expect((await route(at)).weight).toBe(10);
  });

  it("may not delete it, list any, or read secrets and pods", async () => {
    const about = { group: "networking.istio.io", version: "v1" };
    const forbidden = /cannot (?:delete|list) resource/;
    await expectDenied(
      () =>
        guarding.custom.deleteNamespacedCustomObject({
          ...about,
          plural: "virtualservices",
          namespace: id.namespace,
          name: id.service,
        }),
      forbidden,
    );
    await expectDenied(
      () =>
        guarding.custom.listCustomObjectForAllNamespaces({
          ...about,
          resourcePlural: "virtualservices",
        }),
      forbidden,
    );
    await expectDenied(() => guarding.core.listNamespacedSecret({ namespace }), forbidden);
    await expectDenied(() => guarding.core.listNamespacedPod({ namespace }), forbidden);
  });

  it("may note what it does, and nothing in another's name", async () => {
    const journal = new Journal([guarding], [id.namespace]);
    const note = { ...(await failedNote(first)), failed: undefined };
    expect(await journal.writeGuard(note)).toEqual(new Map());
    const others = await journal.writeGuard({ ...note, cluster: second.name });
    expect(others.get(at.name)).toMatch(/a guard may write its own key/);
    const pause = await journal.writePause({ at: 1, paused: true, by: "guard" });
    expect(pause.get(at.name)).toMatch(/a guard may write its own key/);
  });
});

describe("release guard", () => {
  it("takes every cluster back to 0 when another guard's gate has failed, again and again", async () => {
    await beginAt(10);
    const { data } = await first.core.readNamespacedConfigMap({ namespace, name: "release-guard" });
    const file = path.join(dir, GUARD_FILE);
    await writeFile(file, data?.[GUARD_FILE] ?? "");
    const running = execa(
      "node",
      ["release/cli.ts", "guard", "--file", file, "--kubeconfig", await kubeconfigOf(first)],
      { cwd: settings.root, env: labEnvironment(settings), reject: false, all: true },
    );
    let said = "";
    running.all.on("data", (part: Buffer) => {
      said += part.toString();
    });
    onTestFinished(async () => {
      running.kill("SIGTERM");
      await running;
    });
    const journal = new Journal(clusters, [id.namespace]);
    await until(
      "the guard to tell that it watches",
      async () => {
        const { guards } = await journal.read();
        const note = guards.find(({ cluster }) => cluster === first.name);
        if (note?.does === "lower") throw new Error(note.says);
        if (!note || Date.now() - note.at > 30_000) throw new Error(`it has not: ${said}`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
    /** What goes wrong is told with what the guard has said. */
    const beside = async (step: () => Promise<void>) =>
      step().catch((error: unknown) => {
        throw new Error(`${explain(error)}\nThe guard said: ${said}`, { cause: error });
      });
    await beside(async () => {
      expect(await deployed()).toMatchObject(clusters.map(() => ({ weight: 10 })));
    });

    // Only in its own cluster, as if nobody else were reached.
    const theirs = new Journal([await asGuard(second, second)], [id.namespace]);
    const note = await failedNote(second);
    // As a guard does, which looks again: the other one writes into the same journal.
    await until(
      `the note of the guard of ${second.name} to be written`,
      async () => {
        const [failed] = (await theirs.writeGuard(note)).values();
        if (failed !== undefined) throw new Error(failed);
      },
      { timeoutMs: 30_000, everyMs: 500 },
    );
    await beside(() => expectEverywhere(0));

    const { rules } = await route(second);
    await writeRoutes(second, id, withWeight(rules, service.canary, 30));
    // Envoys that have not heard of it yet have 0, too.
    await beside(() => arrival(second, 0));
    await beside(() => expectEverywhere(0));
    const { text } = await releaseOf(stack, "status");
    expect(text).toContain(`the guard of ${second.name} says: the test says so`);
  });

  it("is respected by the next update, which changes all else, until the canary is to be tried again", async () => {
    const why = `the guard of ${second.name} says: the test says so`;
    await pulumi.setConfig("services[0].timeout", "9s");
    const { value } = await pulumi.up("guard test: another change");
    expect(value).toContain(
      "The weight stays 0 % though the config has 10 %: this canary was taken back. All else is updated.",
    );
    expect(value).toContain(why);
    await expectEverywhere(0);
    for (const cluster of clusters) {
      expect(JSON.stringify((await route(cluster)).rules)).toContain('"timeout":"9s"');
    }
    expect((await pulumi.preview()).value).toEqual([]);

    await pulumi.setWeight(30);
    expect(await failure(pulumi.preview())).toContain(
      `weight: must not rise: this canary was taken back: ${why}`,
    );

    await pulumi.setConfig("allow[0]", "retry-canary");
    const { value: again } = await change(10);
    expect(again).not.toContain("The weight stays");
    await expectEverywhere(10);
    await pulumi.setConfig("allow", undefined);
    expect((await pulumi.preview()).value).toEqual([]);
    const { guards, forgiven } = await new Journal(clusters, [id.namespace]).read();
    expect(guards.filter(({ failed }) => failed).map(failureId)).toEqual(forgiven);
  });

  it("holds no update up, though its image cannot be pulled", async () => {
    const { status } = await first.apps.readNamespacedDeployment({
      namespace,
      name: "release-guard",
    });
    expect(status?.availableReplicas ?? 0).toBe(0);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
