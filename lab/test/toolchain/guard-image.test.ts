import { once } from "node:events";
import { copyFileSync, mkdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { JOURNAL } from "../../../lib/journal.ts";
import { GUARD_FILE, guardFileText } from "../../../stacks/guard-file.ts";
import { releaseName } from "../../../stacks/judged.ts";
import { FakeApiServer, kubeconfigText } from "../../../test/helpers/fake-api-server.ts";
import { settings } from "../../../test/helpers/fixtures.ts";
import { packageFiles, projectFiles } from "../../toolchain/guard-image.ts";

const root = resolve(import.meta.dirname, "../../..");
const route = {
  ...{ service: "user-service", namespace: "user", stable: "v1", canary: "v2" },
  ...{ weight: 30, matches: [] },
};

let dir: string;
let servers: readonly FakeApiServer[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "guard-image-"));
  servers = await Promise.all([FakeApiServer.start(route), FakeApiServer.start(route)]);
});
afterEach(async () => {
  for (const server of servers) server.stop();
  await rm(dir, { recursive: true });
});

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What the guard of cluster-b notes once a gate has failed there. */
function failedNote(): string {
  const at = Date.now();
  return JSON.stringify({
    ...{ format: 1, at, cluster: "cluster-b", startedAt: at, release: releaseName(settings()) },
    ...{ weight: 30, since: at, failures: { consecutive: 1, total: 1 }, contactAt: at },
    ...{ failed: { reason: "slow", weight: 30, since: at, at }, does: "lower", says: "slow" },
  });
}

test("has the program and what npm ci --omit=dev installs, without what nothing reads", () => {
  const paths = [...projectFiles(root), ...packageFiles(root)].map(({ path }) => path);
  expect(paths).toContain("app/release/cli.ts");
  expect(paths).toContain("app/monitoring/rules/alerts.yaml");
  expect(paths).toContain("app/node_modules/zod/package.json");
  expect(paths.filter((path) => /^app\/(?:test|lab|\.git)\//.test(path))).toEqual([]);
  expect(paths.filter((path) => /node_modules\/(?:vitest|typescript)\//.test(path))).toEqual([]);
  expect(paths.filter((path) => /\.(?:d\.ts|map)$/.test(path))).toEqual([]);
  expect(new Set(paths).size).toBe(paths.length);
});

// Nothing of what is compiled is cached.
test(
  "is enough for a guard, which lowers what another one has found bad",
  { timeout: 180_000 },
  async () => {
    const files = [...projectFiles(root), ...packageFiles(root)];
    for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
      mkdirSync(join(dir, folder), { recursive: true });
    }
    for (const { source, path } of files) copyFileSync(source, join(dir, path));
    const [a, b] = servers;
    if (!a || !b) throw new Error("no API servers");
    const text = guardFileText(settings(), {
      ...{ stack: "prod", cluster: "cluster-a", prometheus: "http://127.0.0.1:9" },
      ...{ configMap: { namespace: "guards", name: "release-guard" }, partitionLimit: "10m" },
    });
    const file = join(dir, GUARD_FILE);
    await writeFile(file, text);
    a.configMaps.set("guards/release-guard", { [GUARD_FILE]: text });
    b.configMaps.set(`user/${JOURNAL}`, { "guard-cluster-b": failedNote() });
    const kubeconfig = join(dir, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigText({ "cluster-a": a.url, "cluster-b": b.url }));
    const port = await freePort();
    const running = execa(
      process.execPath,
      [
        ...["release/cli.ts", "guard", `--port=${port}`],
        ...["--file", file, "--kubeconfig", kubeconfig],
      ],
      { cwd: join(dir, "app"), env: { NODE_ENV: "production" }, extendEnv: false, reject: false },
    );
    try {
      await vi.waitFor(
        () => {
          expect([a.weight(), b.weight()]).toEqual([0, 0]);
        },
        { timeout: 60_000, interval: 100 },
      );
      // It counts once it has read back what it has written.
      await vi.waitFor(
        async () => {
          const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
          expect(metrics).toContain(
            'istio_canary_guard_lowered_total{destination_cluster="cluster-b"} 1',
          );
        },
        { timeout: 30_000, interval: 100 },
      );
    } finally {
      running.kill("SIGTERM");
      const { stdout, stderr, exitCode } = await running;
      expect(stderr).toBe("");
      expect(stdout).toContain("lower: the guard of cluster-b says: slow");
      expect(exitCode).toBe(0);
    }
  },
);
