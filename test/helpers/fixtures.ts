import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { afterAll } from "vitest";
import { parseConfig, type Settings } from "../../stacks/config.ts";

/** Files of the test file that imports this one. */
const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A kubeconfig file with a context `prod-X` for each letter. */
export function kubeconfigFile(letters: readonly string[] = ["a", "b", "c"]): string {
  const file = join(folder, randomUUID());
  const server = (letter: string) => `https://${letter}.example.com:6443`;
  writeFileSync(
    file,
    dump({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        ...letters.map((letter) => ({
          name: letter,
          cluster: { server: server(letter), "certificate-authority-data": "Y2E=" },
        })),
        { name: "local", cluster: { server: "https://127.0.0.1:6443" } },
      ],
      contexts: [...letters.map((l) => [`prod-${l}`, l]), ["local", "local"]].map(
        ([name, cluster]) => ({ name, context: { cluster, user: "me" } }),
      ),
      users: [{ name: "me", user: {} }],
    }),
  );
  return file;
}

export interface ConfigOptions {
  readonly clusters?: number;
  readonly services?: number;
  readonly weight?: number;
  readonly quarantine?: readonly string[];
  readonly away?: readonly (string | { readonly name: string; readonly drain: boolean })[];
  /** Whether the first service is the entry of a chain that the others follow. */
  readonly chain?: boolean;
}

/** A right configuration; tests change what they are about. */
export function rawConfig({
  clusters = 2,
  services = 1,
  weight = 10,
  quarantine = [],
  away = [],
  chain = false,
}: ConfigOptions = {}) {
  const letters = ["a", "b", "c"].slice(0, clusters);
  const names = ["user-service", "order-service", "stock-service"].slice(0, services);
  return {
    kubeconfig: kubeconfigFile(),
    mesh: { id: "prod-mesh", istioVersion: "1.31.0" },
    clusters: letters.map((letter) => ({
      name: `cluster-${letter}`,
      network: `network-${letter}`,
      context: `prod-${letter}`,
    })),
    ingress: { hosts: names.slice(0, chain ? 1 : undefined).map((name) => `${name}.example.com`) },
    services: names.map((name, i) => ({
      name,
      namespace: "user",
      port: 8080,
      stable: { version: "v1", image: `registry.example.com/${name}:v1` },
      canary: { version: "v2", image: `registry.example.com/${name}:v2` },
      matches:
        chain && i > 0
          ? []
          : [{ header: { "x-canary": "true" } }, { cookie: { canary: "always" } }],
      ...(services > 1 && { ingressHosts: chain && i > 0 ? [] : [`${name}.example.com`] }),
    })),
    ...(chain && { chain: { entries: ["user/user-service"], mark: { baggage: "istio-canary" } } }),
    phases: [10, 30, 100],
    weight,
    quarantine,
    ...(away.length > 0 && { away }),
  };
}

export function settings(options?: ConfigOptions): Settings {
  const { settings: parsed, problems } = parseConfig(rawConfig(options));
  if (!parsed || "meshStack" in parsed) {
    throw new Error(`the fixture is wrong: ${JSON.stringify(problems)}`);
  }
  return parsed;
}
