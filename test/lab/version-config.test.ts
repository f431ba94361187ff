import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { labEnvironment } from "../../lab/environment.ts";
import { readIfThere } from "../../lab/files.ts";
import { calls } from "../../lab/mesh/call.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { labService } from "../../lab/mesh/service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serverImage, serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../lab/stack-file.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { labPulumi } from "./lab.ts";
import { clusters, failure, first, second } from "./release.ts";

const stack = "lab-version-config";
const { name: service, namespace, host } = labService("version-config", "");
const settings = labSettings();
const pulumi = labPulumi(stack);
const file = stackFile(settings, stack);
/** An image that has a shell, and a user of the lab's own. */
const SHELL = "docker.io/lab/client:1";

/** The secrets by their names in the config, and all that anybody has printed. */
const secrets = { "token-1": `one-${randomUUID()}`, "token-2": `two-${randomUUID()}` };
const printed: string[] = [];

const command = execa({ cwd: settings.root, env: labEnvironment(settings), all: true });

async function setSecret(key: string, value: string): Promise<void> {
  await command("pulumi", ["config", "set", "--stack", stack, "--secret", "--path", key], {
    input: value,
  });
}

/** What stable and the canary read; a container beside tells the file in its log. */
function serviceWith(canary: object | undefined) {
  const { canary: own, ...config } = serviceConfig({ name: service, namespace }, 1);
  return {
    ...config,
    matches: [],
    args: ["--port=8080", "--version=$(SERVICE_VERSION)", "--cluster=$(TOKEN)"],
    files: { "/etc/echo/colour": "blue\n" },
    secretFiles: { "/etc/echo/token": "token-1" },
    secretEnv: { TOKEN: "token-1" },
    template: {
      spec: {
        containers: [
          {
            name: "beside",
            image: SHELL,
            command: ["sh", "-c", "cat /colour/* && exec sleep infinity"],
            volumeMounts: [{ name: "version-files", mountPath: "/colour" }],
            resources: { requests: { cpu: "5m", memory: "8Mi" } },
          },
        ],
      },
    },
    ...(canary && { canary: { ...own, image: serverImage("v1"), ...canary } }),
  };
}

async function up(message: string): Promise<void> {
  printed.push((await pulumi.up(`version config: ${message}`)).value);
}

/** Each version with the token in its answers, of many answers in a cluster. */
async function answers(cluster: ClusterClient, count: number): Promise<readonly string[]> {
  const pod = await ensureClientPod(cluster);
  const all = await calls(cluster, pod, `http://${host}/`, count);
  for (const { status } of all) expect(status, cluster.name).toBe(200);
  return [
    ...new Set(all.map(({ version, cluster: told }) => `${version ?? ""} ${told ?? ""}`)),
  ].sort();
}

async function podsOf({ core }: ClusterClient, version: string) {
  const labelSelector = `app=${service},version=${version}`;
  const { items } = await core.listNamespacedPod({ namespace, labelSelector });
  return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
}

/** What the pods of a version have read, as the container beside it has told. */
async function told(cluster: ClusterClient, version: string): Promise<readonly string[]> {
  const pods = await podsOf(cluster, version);
  return Promise.all(
    pods.map(async ({ metadata }) =>
      cluster.core.readNamespacedPodLog({
        ...{ namespace, name: metadata?.name ?? "", container: "beside" },
      }),
    ),
  );
}

/** The pods of stable in all clusters, by identity and restarts. */
async function stablePods(): Promise<readonly string[]> {
  const all = await Promise.all(clusters.map((cluster) => podsOf(cluster, "v1")));
  return all
    .flat()
    .map(({ metadata, status }) => {
      const restarts = (status?.containerStatuses ?? []).map(({ restartCount }) => restartCount);
      return `${metadata?.uid ?? ""} ${restarts.join()}`;
    })
    .sort();
}

/** Names of the ConfigMaps and Secrets that were made for versions; none of them may change. */
async function objects({ core }: ClusterClient): Promise<readonly string[]> {
  const labelSelector = `app=${service},version`;
  const maps = await core.listNamespacedConfigMap({ namespace, labelSelector });
  const all = await core.listNamespacedSecret({ namespace, labelSelector });
  return [...maps.items, ...all.items]
    .map(({ metadata, immutable }) => {
      expect(immutable, metadata?.name).toBe(true);
      return (metadata?.name ?? "").replace(/-[0-9a-f]{16}$/, "");
    })
    .sort();
}

describe("a canary that differs from stable in what it reads alone", () => {
  let stable: readonly string[];

  beforeAll(async () => {
    await makeReleaseStack(settings, stack, {
      services: [serviceWith(undefined)],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    await setSecret("secretsKey", randomUUID());
    for (const [name, value] of Object.entries(secrets)) await setSecret(`secrets.${name}`, value);
    for (const cluster of clusters) await ensureClientPod(cluster);
    await up("installation");
    stable = await stablePods();
  });

  afterAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
  });

  it("has files and secrets of the program's making", async () => {
    for (const cluster of clusters) {
      expect(await objects(cluster)).toEqual([`${service}-v1`, `${service}-v1`]);
      expect(await told(cluster, "v1")).toEqual(["blue\n"]);
      expect(await answers(cluster, 20)).toEqual([`v1 ${secrets["token-1"]}`]);
    }
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("lets stable read nothing else while it serves", async () => {
    await setStackKeys(file, {
      services: [{ ...serviceWith(undefined), files: { "/etc/echo/colour": "red\n" } }],
    });
    const secret = secrets["token-1"];
    await setSecret("secrets.token-1", `${secret}-changed`);
    const text = await failure(pulumi.preview());
    printed.push(text);
    const where = `while v1 serves 100 % of ${namespace}/${service} in ${first.name} and ${second.name}.`;
    for (const part of ["files", "secretFiles", "secretEnv"]) {
      expect(text).toContain(
        `services[0].stable.${part}: must stay what ${first.name} has ${where}`,
      );
    }
    await setSecret("secrets.token-1", secret);
  });

  it("is released from 0 to 10 and back, and no pod of stable is touched", async () => {
    const canary = {
      files: { "/etc/echo/colour": "green\n" },
      secretEnv: { TOKEN: "token-2" },
    };
    await setStackKeys(file, { services: [serviceWith(canary)] });
    await up("a canary with another file and secret");
    await pulumi.setWeight(10);
    await up("10 %");
    for (const cluster of clusters) {
      expect(await told(cluster, "v2")).toEqual(["green\n"]);
      expect(await answers(cluster, 150)).toEqual([
        `v1 ${secrets["token-1"]}`,
        `v2 ${secrets["token-2"]}`,
      ]);
      const made = ["v1", "v1", "v2", "v2"].map((version) => `${service}-${version}`);
      expect(await objects(cluster)).toEqual(made);
    }
    await pulumi.setWeight(0);
    await up("0 %");
    const another = { ...canary, files: { "/etc/echo/colour": "yellow\n" } };
    await setStackKeys(file, { services: [serviceWith(another)] });
    await up("another file of the canary");
    for (const cluster of clusters) {
      expect(await told(cluster, "v2")).toEqual(["yellow\n"]);
      // The old one is gone once nothing reads it.
      expect(await objects(cluster)).toHaveLength(4);
    }
    expect(await stablePods()).toEqual(stable);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("tells nobody its secrets: neither the state, nor what is printed", async () => {
    expect(JSON.stringify(await stackKey(file, "secrets"))).toContain("secure");
    for (const args of [
      ["preview", "--diff"],
      ["preview", "--json"],
      ["stack", "export"],
      ["stack", "history", "--json"],
    ]) {
      printed.push((await command("pulumi", [...args, "--stack", stack])).all);
    }
    const state = path.join(settings.dir, "state");
    const files = await readdir(state, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter((entry) => entry.isFile() && entry.name.includes(stack))
        .map(async (entry) => (await readIfThere(path.join(entry.parentPath, entry.name))) ?? ""),
    );
    expect(texts.length).toBeGreaterThan(0);
    for (const secret of Object.values(secrets)) {
      const base64 = Buffer.from(secret).toString("base64").replaceAll("=", "");
      for (const text of [...printed, ...texts]) {
        expect(text.includes(secret) || text.includes(base64)).toBe(false);
      }
    }
  });
});
