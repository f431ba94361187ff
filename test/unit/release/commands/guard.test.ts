import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text as body } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { guard } from "../../../../release/commands/guard.ts";
import type { GuardNote } from "../../../../release/journal.ts";
import { guardFileText, parseGuardFile, type GuardFile } from "../../../../stacks/guard-file.ts";
import { schema } from "../../../../stacks/schema.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../../helpers/fake-api-server.ts";
import { settings as fixture } from "../../../helpers/fixtures.ts";
import { metricsWith } from "../../../helpers/metrics.ts";

const FILE = "guards/release-guard";
const route = canaryAt(30, { matches: [{ header: { "x-tester": "yes" } }] });

let dir: string;
let a: FakeApiServer;
let b: FakeApiServer;
let prometheus: Server;
let failed: number;
let told: string[];
let ended: Promise<void> | undefined;

/** What an update has written for the guard of cluster-a. */
function file(more: Partial<GuardFile> = {}): string {
  const rollout = schema.rollout.parse({
    settle: "1ms",
    interval: "50ms",
    gates: { without: ["share", "unreached"] },
  });
  const text = guardFileText(
    { ...fixture(), rollout },
    {
      stack: "prod",
      cluster: "cluster-a",
      configMap: { namespace: "guards", name: "release-guard" },
      prometheus: `http://127.0.0.1:${(prometheus.address() as AddressInfo).port}`,
      partitionLimit: "10m",
    },
  );
  return JSON.stringify({ ...parseGuardFile(text), ...more });
}

async function start(
  servers: Readonly<Record<string, string>>,
  mounted = file(),
  port?: string,
): Promise<void> {
  await writeFile(path.join(dir, "guard.json"), mounted);
  await writeFile(path.join(dir, "kubeconfig"), kubeconfigText(servers));
  ended = guard({
    file: path.join(dir, "guard.json"),
    kubeconfig: path.join(dir, "kubeconfig"),
    notifications: path.join(dir, "notifications.json"),
    ...(port !== undefined && { port }),
  });
}
const note = (server: FakeApiServer) =>
  JSON.parse(
    server.configMaps.get("user/istio-canary-rollout")?.["guard-cluster-a"] ?? "{}",
  ) as Partial<GuardNote>;
const wait = { timeout: 20_000 };

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "guard-"));
  [a, b] = [await FakeApiServer.start(route), await FakeApiServer.start(route)];
  [failed, told] = [0, []];
  prometheus = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    void metricsWith(failed)
      .query(searchParams.get("query") ?? "")
      .then((samples) => {
        const result = samples.map(({ labels, value }) => ({
          metric: labels,
          value: [0, String(value)],
        }));
        response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result } }));
      });
  });
  await new Promise<void>((resolve) => prometheus.listen(0, "127.0.0.1", resolve));
  a.configMaps.set(FILE, { "guard.json": file() });
  vi.spyOn(console, "log").mockImplementation((text: string) => told.push(text));
});
afterEach(async () => {
  process.emit("SIGTERM");
  await ended;
  vi.restoreAllMocks();
  a.stop();
  b.stop();
  prometheus.close();
  await rm(dir, { recursive: true });
});

describe("release guard", () => {
  it("lowers every cluster to 0 when a gate of its own fails, asks no Envoy, and writes why", async () => {
    await start({ "cluster-a": a.url, "cluster-b": b.url });
    await vi.waitFor(() => {
      expect(note(b)).toMatchObject({ cluster: "cluster-a", weight: 30, does: "watch" });
    }, wait);
    expect([a.weight(), b.weight()]).toEqual([30, 30]);
    failed = 300;
    await vi.waitFor(() => {
      expect([a.weight(), b.weight()]).toEqual([0, 0]);
      expect(note(a).says).toMatch(/^cluster-a: success rate of v2 of user\/user-service: 70\.0 %/);
      expect(note(b).does).toBe("lower");
    }, wait);
    expect([...a.requests, ...b.requests].filter((each) => /pods|secrets/.test(each))).toEqual([]);
  });

  it("goes on with the others while one cluster refuses connections", async () => {
    b.stop();
    failed = 300;
    await start({ "cluster-a": a.url, "cluster-b": b.url });
    await vi.waitFor(() => {
      expect(a.weight()).toBe(0);
    }, wait);
    expect(told.join("\n")).toMatch(/cluster-b does not answer: /);
  });

  it("lowers nothing where its ConfigMap has lost the file, though the pod has it mounted", async () => {
    failed = 300;
    a.configMaps.set(FILE, {});
    await start({ "cluster-a": a.url, "cluster-b": b.url });
    await vi.waitFor(() => {
      expect(told.join("\n")).toContain("hold: it is not known what to guard: ");
    }, wait);
    expect([a.weight(), b.weight()]).toEqual([30, 30]);
  });

  it("goes by what the API server has, not by an older file that is still mounted", async () => {
    failed = 300;
    const before = file({ release: "before" });
    a.configMaps.set(FILE, { "guard.json": file({ services: [] }) });
    await start({ "cluster-a": a.url, "cluster-b": b.url }, before);
    await vi.waitFor(() => {
      expect(told.join("\n")).toContain("watch: the canary has no weight");
    }, wait);
    expect(told.join("\n")).not.toContain("watches before");
    expect([a.weight(), b.weight()]).toEqual([30, 30]);
  });

  it("serves its health, and metrics of what it has seen and lowered", async () => {
    const port = await freePort();
    const get = async (at: string) => (await fetch(`http://127.0.0.1:${port}${at}`)).text();
    failed = 300;
    await start({ "cluster-a": a.url, "cluster-b": b.url }, file(), String(port));
    await vi.waitFor(async () => {
      const metrics = await get("/metrics");
      for (const cluster of ["cluster-a", "cluster-b"]) {
        const about = `{destination_cluster="${cluster}"}`;
        expect(metrics).toContain(`istio_canary_guard_lowered_total${about} 1\n`);
        expect(metrics).toContain(`istio_canary_guard_weight${about} 0\n`);
      }
      expect(metrics).toContain('istio_canary_guard_state{state="lower"} 1\n');
    }, wait);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
  });

  it("notifies those whom its mounted file names, and tells who does not answer, without a URL", async () => {
    const bodies: string[] = [];
    const receiver = createServer((request, response) => {
      const refuses = request.url === "/refuses";
      void body(request).then((content) => {
        if (!refuses) bodies.push(content);
        response.writeHead(refuses ? 400 : 200).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      receiver.close();
    });
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const receivers = [
      { url, format: "slack", headers: {} },
      { url: `${url}/refuses`, format: "slack", headers: {} },
    ];
    await writeFile(path.join(dir, "notifications.json"), JSON.stringify(receivers));
    failed = 300;
    await start({ "cluster-a": a.url, "cluster-b": b.url });
    await vi.waitFor(() => {
      expect(bodies).toHaveLength(1);
      expect(told.join("\n")).toMatch(/ rollout\.notifications\[1\] answers HTTP 400$/m);
    }, wait);
    expect(JSON.parse(bodies[0] ?? "")).toEqual({
      text: expect.stringMatching(
        /^prod: the guard of cluster-a takes the canary back to 0 %: cluster-a: success rate of v2/,
      ) as unknown,
    });
    expect(told.join("\n")).not.toContain("127.0.0.1");
  });

  it("goes by the mounted file while its API server does not know it", async () => {
    failed = 300;
    a.stop();
    await start({ "cluster-a": a.url, "cluster-b": b.url });
    await vi.waitFor(() => {
      expect(b.weight()).toBe(0);
    }, wait);
  });
});
