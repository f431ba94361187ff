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
import { clusterRole, releaseRoles } from "../../lib/rights.ts";
import { clusters, withOwnRelease } from "./release.ts";

const settings = labSettings();
const release = withOwnRelease("rights");
const { namespace } = release.service;
const account = "pipeline";
const rbac = "rbac.authorization.k8s.io";
const subjects = [{ kind: "ServiceAccount", name: account, namespace }];

const [fleet, services] = releaseRoles.map((role) => {
  const text = JSON.stringify(clusterRole(role)).replaceAll("STACK", stackLabel(release.stack));
  return JSON.parse(text) as ReturnType<typeof clusterRole>;
});
const bindingTo = (name = "") => ({
  metadata: { name },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
  subjects,
});
/** What is in no namespace: it does not end with the release. */
const clusterWide = [fleet, services].flatMap((role) => [
  { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata: { name: role?.metadata.name ?? "" } },
]);
const fleetBinding = {
  ...{ apiVersion: `${rbac}/v1`, kind: "ClusterRoleBinding" },
  ...bindingTo(fleet?.metadata.name),
};
const servicesBinding = {
  ...{ apiVersion: `${rbac}/v1`, kind: "RoleBinding" },
  ...bindingTo(services?.metadata.name),
};

/** What an earlier run has left, too. */
async function withdraw(): Promise<void> {
  await Promise.all(
    clusters.flatMap(({ objects }) =>
      [fleetBinding, ...clusterWide].map((object) =>
        objects.delete(object).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        }),
      ),
    ),
  );
}

/** Makes the account in a cluster, gives it the roles and no more, and tells how it gets in. */
async function granted(cluster: ClusterClient): Promise<Reader> {
  const { core, objects, name, kubeConfig } = cluster;
  await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: account } } });
  for (const object of [fleet, services, fleetBinding]) await objects.create(object ?? {});
  await objects.create({
    ...servicesBinding,
    metadata: { ...servicesBinding.metadata, namespace },
  });
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
    const readers = await Promise.all(clusters.map(granted));
    await writeFile(kubeconfig, readerKubeconfig(...readers), { mode: 0o600 });
    pulumi = new PulumiCli(settings.root, env(), release.stack);
  });

  afterAll(async () => {
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
