import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { labSettings } from "../settings.ts";
import { ensureStackConfig } from "../stack.ts";

interface StackFile {
  config: Record<string, unknown>;
}

describe("the lab's stack config", () => {
  let root: string;
  const file = () => path.join(root, "Pulumi.lab.yaml");
  const text = () => readFile(file(), "utf8");
  const ensure = (charts: string, newPassphrase = false) =>
    ensureStackConfig(
      labSettings(root, { LAB_CLUSTERS: "cluster-a,cluster-b,cluster-c" }),
      charts,
      {
        newPassphrase,
      },
    );

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), "stack-"));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  it("has every cluster of the lab, its kubeconfig and the charts of the toolchain", async () => {
    await ensure("/charts");
    expect(await text()).toMatch(/^# The stack "lab"/);
    const { config } = load(await text()) as StackFile;
    expect(config["istio-canary:clusters"]).toEqual([
      { name: "cluster-a", network: "network-a", context: "cluster-a" },
      { name: "cluster-b", network: "network-b", context: "cluster-b" },
      { name: "cluster-c", network: "network-c", context: "cluster-c" },
    ]);
    expect(config["istio-canary:kubeconfig"]).toBe(path.join(root, ".lab/kubeconfig"));
    expect(config["istio-canary:mesh"]).toMatchObject({ charts: { directory: "/charts" } });
    expect(config["istio-canary:weight"]).toBe(0);
  });

  it("keeps what was edited, and follows the toolchain's charts", async () => {
    await ensure("/charts-1");
    await writeFile(file(), `${(await text()).replace("weight: 0", "weight: 30")}# mine\n`);
    await ensure("/charts-2");
    expect(await text()).toContain("# mine\n");
    const { config } = load(await text()) as StackFile;
    expect(config["istio-canary:weight"]).toBe(30);
    expect(config["istio-canary:mesh"]).toMatchObject({ charts: { directory: "/charts-2" } });
  });

  it("forgets the salt of a passphrase that is lost", async () => {
    await ensure("/charts");
    await writeFile(file(), `${await text()}encryptionsalt: v1:abc\n`);
    await ensure("/charts");
    expect(await text()).toContain("encryptionsalt");
    await ensure("/charts", true);
    expect(await text()).not.toContain("encryptionsalt");
  });
});
