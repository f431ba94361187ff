import { readdir, stat } from "node:fs/promises";
import path from "node:path";

import { execa } from "execa";
import { describe, expect, it } from "vitest";

import { labEnvironment } from "../../lab/environment.ts";
import { readIfThere } from "../../lab/files.ts";
import { labSettings } from "../../lab/settings.ts";
import { labClusters } from "./lab.ts";

const settings = labSettings();

/** Every secret value of the mesh, in the forms in which it could leak. */
async function secretValues(): Promise<string[]> {
  const values = new Set<string>();
  for (const cluster of labClusters()) {
    const { items } = await cluster.core.listNamespacedSecret({ namespace: "istio-system" });
    for (const { metadata, data = {}, type } of items) {
      if (type === "helm.sh/release.v1") continue;
      for (const [key, base64] of Object.entries(data)) {
        const isPublic = key.endsWith("cert.pem") || key === "ca.crt" || key === "namespace";
        if (isPublic || key === "cert-chain.pem") continue;
        expect(metadata?.name).toBeDefined();
        const text = Buffer.from(base64, "base64").toString();
        values.add(base64);
        values.add(text.trim());
        // A PEM loses its line breaks in JSON: each of its lines must be absent too.
        for (const line of text.split("\n")) if (line.length > 40) values.add(line.trim());
      }
    }
  }
  return [...values].filter((value) => !value.startsWith("-----") && value.length > 20);
}

function leaks(text: string, secrets: readonly string[]): number {
  return secrets.filter((secret) => text.includes(secret)).length;
}

describe("secrets", () => {
  it("are in no file of the state", async () => {
    const secrets = await secretValues();
    expect(secrets.length).toBeGreaterThan(4);
    const state = path.join(settings.dir, "state");
    const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      // A lock of another test's stack may have gone meanwhile.
      const text = await readIfThere(path.join(file.parentPath, file.name));
      expect(leaks(text ?? "", secrets), `secrets in ${file.name}`).toBe(0);
    }
  });

  it.each([
    ["preview --diff", ["preview", "--diff"]],
    ["preview --json", ["preview", "--json"]],
    ["stack output --json", ["stack", "output", "--json"]],
    ["stack export", ["stack", "export"]],
  ])("are not printed by pulumi %s", async (_, args) => {
    const secrets = await secretValues();
    const { all } = await execa("pulumi", [...args, "--stack", "lab"], {
      cwd: settings.root,
      env: labEnvironment(settings),
      all: true,
    });
    expect(all.length).toBeGreaterThan(0);
    expect(leaks(all, secrets)).toBe(0);
  });

  it("are in files that only their owner can read", async () => {
    for (const name of ["kubeconfig", "passphrase"]) {
      const { mode } = await stat(path.join(settings.dir, name));
      expect(mode & 0o777, name).toBe(0o600);
    }
  });
});
