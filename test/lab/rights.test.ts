import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import { labEnvironment } from "../../lab/environment.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackLabel } from "../../lib/names.ts";
import { readerKubeconfig, type Reader } from "../../lib/reader-kubeconfig.ts";
import { clusterRole, previewRoles, releaseRoles, type ReleaseRole } from "../../lib/rights.ts";
import { clusters, withOwnRelease } from "./release.ts";

const settings = labSettings();
const release = withOwnRelease("rights");
const { namespace } = release.service;
const rbac = "rbac.authorization.k8s.io";

/** A user, and what it is given in the cluster and in the services' namespace. */
class User {
  readonly #account: string;
  readonly #roles;

  constructor(account: string, roles: readonly ReleaseRole[]) {
    this.#account = account;
    this.#roles = roles.map((role) => {
      const text = JSON.stringify(clusterRole(role)).replaceAll("STACK", stackLabel(release.stack));
      return JSON.parse(text) as ReturnType<typeof clusterRole>;
    });
  }

  #bindings() {
    const [fleet, services] = this.#roles.map(({ metadata: { name } }) => ({
      apiVersion: `${rbac}/v1`,
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", name: this.#account, namespace }],
      metadata: { name },
    }));
    return [
      { ...fleet, kind: "ClusterRoleBinding", metadata: { name: fleet?.metadata.name ?? "" } },
      {
        ...{ ...services, kind: "RoleBinding" },
        metadata: { name: services?.metadata.name ?? "", namespace },
      },
    ] as const;
  }

  /** What is in no namespace: it does not end with the release. */
  get clusterWide() {
    return [this.#bindings()[0], ...this.#roles];
  }

  /** Makes the account in a cluster, gives it the roles and no more, and tells how it gets in. */
  async granted({ core, objects, name, kubeConfig }: ClusterClient): Promise<Reader> {
    const account = this.#account;
    await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: account } } });
    for (const object of [...this.#roles, ...this.#bindings()]) await objects.create(object);
    const { status } = await core.createNamespacedServiceAccountToken({
      ...{ name: account, namespace },
      body: { spec: { audiences: [], expirationSeconds: 3_600 } },
    });
    const { server = "", caData } = kubeConfig.getCurrentCluster() ?? {};
    return {
      ...{ cluster: name, apiServer: { server, certificateAuthority: caData } },
      token: status?.token ?? "",
    };
  }
}

const pipeline = new User("pipeline", releaseRoles);
const previewer = new User("previewer", previewRoles);

/** What an earlier run has left, too. */
async function withdraw(): Promise<void> {
  await Promise.all(
    clusters.flatMap(({ objects }) =>
      [...pipeline.clusterWide, ...previewer.clusterWide].map((object) =>
        objects.delete(object).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        }),
      ),
    ),
  );
}

describe("a user with the rights that are documented, and no other", () => {
  let dir: string;
  let kubeconfig: string;
  let pulumi: PulumiCli;
  const env = () => ({ ...labEnvironment(settings), KUBECONFIG: kubeconfig });

  /** Runs a command of the project as that user, and gives what it says, which must be about no missing right. */
  async function said(...command: readonly string[]): Promise<string> {
    const { all, exitCode } = await execa("node", [...command], {
      ...{ cwd: settings.root, env: env(), reject: false, all: true },
    });
    expect(exitCode, all).toBe(0);
    expect(all).not.toContain("forbidden");
    return all;
  }

  async function up(weight: number): Promise<void> {
    await pulumi.setWeight(weight);
    const { value } = await pulumi.up(`lab test: ${weight} %`);
    expect(value).not.toContain("forbidden");
    await release.expectEverywhere(weight);
  }

  beforeAll(async () => {
    await withdraw();
    dir = await mkdtemp(path.join(tmpdir(), "rights-"));
    kubeconfig = path.join(dir, "kubeconfig");
    const readers = await Promise.all(clusters.map((cluster) => pipeline.granted(cluster)));
    await writeFile(kubeconfig, readerKubeconfig(...readers), { mode: 0o600 });
    pulumi = new PulumiCli(settings.root, env(), release.stack);
    // Not those of the mesh's stack, by which a stack in its mesh reaches the clusters else.
    await pulumi.setConfig("kubeconfig", kubeconfig);
  });

  afterAll(async () => {
    // What is in the state must be reached when the stack is removed.
    await release.pulumi.setConfig("kubeconfig", undefined);
    await release.change(0);
    await withdraw();
    await rm(dir, { recursive: true, force: true });
  });

  it("reads no Secret, and makes nothing in a namespace of others", async () => {
    for (const { name } of clusters) {
      const { core } = new ClusterClient({ name, context: name, kubeconfig });
      for (const of of [namespace, "istio-system"]) {
        await expect(core.listNamespacedSecret({ namespace: of })).rejects.toMatchObject({
          code: 403,
        });
      }
      const body = { metadata: { name: "any" } };
      await expect(
        core.createNamespacedServiceAccount({ namespace: "istio-system", body }),
      ).rejects.toMatchObject({ code: 403 });
    }
  });

  it("previews a weight, with what every cluster would say to it", async () => {
    await pulumi.setWeight(10);
    const text = await said("preview/cli.ts", "--stack", release.stack);
    for (const { name } of clusters) {
      expect(text).toContain(`| \`${release.id}\` | ${name} | v2 | 0 % | **10 %** |`);
    }
  });

  it("previews it with rights that change nothing, and can raise nothing with them", async () => {
    const own = path.join(dir, "previewer");
    const readers = await Promise.all(clusters.map((cluster) => previewer.granted(cluster)));
    await writeFile(own, readerKubeconfig(...readers), { mode: 0o600 });
    const run = execa({
      ...{ cwd: settings.root, env: { ...env(), KUBECONFIG: own }, reject: false, all: true },
    });
    await pulumi.setConfig("kubeconfig", own);
    await pulumi.setWeight(10);
    const held = await run("node", ["release/cli.ts", "weight", "--stack", release.stack]);
    expect(held.exitCode, held.all).toBe(0);
    const preview = await run("node", ["preview/cli.ts", "--stack", release.stack]);
    expect(preview.exitCode, preview.all).toBe(0);
    for (const { name } of clusters) {
      expect(preview.all).toContain(`| \`${release.id}\` | ${name} | v2 | 0 % | **10 %** |`);
    }
    const up = await run("pulumi", ["up", "--yes", "--skip-preview", "--stack", release.stack]);
    expect(up.exitCode, up.all).not.toBe(0);
    expect(up.all).toContain("forbidden");
    await release.expectEverywhere(0);
    await pulumi.setConfig("kubeconfig", kubeconfig);
  });

  it("raises it in every cluster, sees how it stands, and takes it back", async () => {
    await up(10);
    expect(await said("release/cli.ts", "status", "--stack", release.stack)).toContain("10 %");
    await up(0);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("goes to zero without Pulumi", async () => {
    await up(10);
    const contexts = clusters.flatMap(({ name }) => ["--context", name]);
    await said("release/cli.ts", "zero", ...contexts, "--service", release.id);
    await release.expectEverywhere(0);
  });
});
