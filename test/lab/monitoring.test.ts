import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import type { KubernetesObject, V1Pod } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { podKey, type ClusterClient } from "../../fleet/cluster-client.ts";
import { get, getJson } from "../../fleet/pod-http.ts";
import { Prometheus } from "../../fleet/prometheus.ts";
import { labEnvironment } from "../../lab/environment.ts";
import { deleteClientPod, ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { labSettings } from "../../lab/settings.ts";
import { ADMIN_PORT, INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { dashboards } from "../../monitoring/dashboards.ts";
import { serverLabels } from "../../lib/monitoring/server-labels.ts";
import { until } from "../../lib/until.ts";
import { panelQueries, type DashboardJson } from "../helpers/dashboards.ts";
import { gateQueriesTest } from "../helpers/gate-queries.ts";
import { labClusters } from "./lab.ts";

/** The lab's `monitoring.scrapeInterval`, and how long CanaryErrorRate waits there, in milliseconds. */
const INTERVAL_MS = 5_000;
const FOR_MS = 10_000;
const ALERT = "CanaryErrorRate";

/** A client of this name has not been counted before. */
const CLIENT = `counted-${Date.now().toString(36)}`;
const URL_PATH = `http://${userService.host}/`;

const clusters = labClusters();
const pods = new Map<ClusterClient, V1Pod>();
const prometheus = new Map(clusters.map((cluster) => [cluster.name, new Prometheus(cluster)]));

const query = async (cluster: string, promql: string) =>
  (await prometheus.get(cluster)?.query(promql)) ?? [];

function curl(cluster: ClusterClient, args: readonly string[]): Promise<string> {
  const pod = pods.get(cluster);
  if (!pod) throw new Error(`${cluster.name} has no client`);
  return cluster.exec(pod, CLIENT, ["curl", "--silent", "--max-time", "20", ...args]);
}

const alerts = z.array(
  z.looseObject({ labels: z.record(z.string(), z.string()), startsAt: z.coerce.date() }),
);

/** What a cluster's Alertmanager holds of one alert of the lab's service. */
async function alertsOf(cluster: ClusterClient, name: string) {
  const selector = Object.entries(serverLabels("alertmanager")).map(([k, v]) => `${k}=${v}`);
  const [pod] = await cluster.runningPods(selector.join(","));
  if (!pod) throw new Error(`${cluster.name} runs no Alertmanager`);
  const all = alerts.parse(await getJson(cluster, pod, 9093, "/api/v2/alerts?active=true"));
  return all.filter(
    ({ labels }) =>
      labels["alertname"] === name &&
      labels["destination_service_namespace"] === userService.namespace,
  );
}

beforeAll(async () => {
  await Promise.all(
    clusters.map(async (cluster) => {
      // Open connections keep an Envoy's old filters; those of a new client are new.
      await until(
        `every proxy of ${userService.name} in ${cluster.name} to count`,
        async () => {
          for (const pod of await cluster.proxies(`app=${userService.name}`)) {
            const dump = await get(
              cluster,
              pod,
              ADMIN_PORT,
              "/config_dump?resource=dynamic_listeners",
            );
            if (!dump.includes("lab-standard-metrics")) throw new Error("one does not");
          }
        },
        { timeoutMs: 60_000, everyMs: 1_000 },
      );
      pods.set(cluster, await ensureClientPod(cluster, CLIENT));
    }),
  );
});

afterAll(async () => {
  await Promise.all(clusters.map((cluster) => deleteClientPod(cluster, CLIENT)));
});

describe("Prometheus", () => {
  it("has counted every request that a client has sent, where it was answered", async () => {
    const sent: Record<string, number> = {};
    for (const cluster of clusters) {
      for (const args of [
        [`${URL_PATH}?request=[1-40]`],
        ["--header", "x-canary: true", `${URL_PATH}?request=[1-20]`],
        ["--header", "x-canary: true", `${URL_PATH}?codes=500:1&request=[1-10]`],
      ]) {
        const output = await curl(cluster, ["--write-out", "\nend %{http_code}\n", ...args]);
        for (const [, body = "", status] of output.matchAll(/([^]*?)\nend (\d+)\n/g)) {
          const field = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(body)?.[1];
          const row = [
            `from ${cluster.name} to ${field("Cluster")}`,
            field("ServiceVersion"),
            status,
          ].join(" ");
          sent[row] = (sent[row] ?? 0) + 1;
        }
      }
    }
    expect(Object.values(sent).reduce((sum, count) => sum + count, 0)).toBe(70 * clusters.length);

    await until(
      "the same counts in Prometheus",
      async () => {
        const counted: Record<string, number> = {};
        for (const { name } of clusters) {
          for (const { labels, value } of await query(
            name,
            `sum by (source_cluster, destination_version, response_code) (istio_requests_total{reporter="destination", source_workload="${CLIENT}", cluster="${name}", destination_cluster="${name}", connection_security_policy="mutual_tls"})`,
          )) {
            const row = `from ${labels["source_cluster"]} to ${name} ${labels["destination_version"]} ${labels["response_code"]}`;
            counted[row] = value;
          }
        }
        expect(counted).toEqual(sent);
      },
      { timeoutMs: 45_000, everyMs: 1_000 },
    );
  });

  /** Pods of other tests come and go. */
  const lasting = [userService.namespace, SYSTEM_NAMESPACE, INGRESS_NAMESPACE];

  it("reads every proxy, istiod and kube-state-metrics", async () => {
    for (const cluster of clusters) {
      await until(
        `all targets of ${cluster.name}`,
        async () => {
          const up = await query(cluster.name, `up{namespace=~"(${lasting.join("|")})?"}`);
          const jobs = up.map(
            ({ labels: { job = "", pod = "" }, value }) => `${job} ${value} ${pod}`,
          );
          const proxies = (await cluster.proxies()).filter((pod) =>
            lasting.includes(podKey(pod).namespace),
          );
          const istiod = await cluster.runningPods("app=istiod");
          expect(jobs.sort()).toEqual(
            [
              "kube-state-metrics 1 ",
              ...istiod.map(({ metadata }) => `istiod 1 ${metadata?.name ?? ""}`),
              ...proxies.map(({ metadata }) => `istio-proxy 1 ${metadata?.name ?? ""}`),
            ].sort(),
          );
        },
        { timeoutMs: 45_000, everyMs: 1_000 },
      );
    }
  });

  it("knows the weights that the API server has", async () => {
    for (const { name } of clusters) {
      const weights = await query(
        name,
        `istio_canary:weight:ratio{destination_service_namespace="${userService.namespace}"}`,
      );
      expect(
        Object.fromEntries(
          weights.map(({ labels, value }) => [labels["destination_version"], value]),
        ),
      ).toEqual({ [userService.stable]: 1, [userService.canary]: 0 });
    }
  });

  it("evaluates every rule without an error", async () => {
    const rules = z.looseObject({
      data: z.looseObject({
        groups: z.array(
          z.looseObject({
            rules: z.array(z.looseObject({ name: z.string(), health: z.string() })),
          }),
        ),
      }),
    });
    for (const { name } of clusters) {
      const { data } = rules.parse(await prometheus.get(name)?.get("/api/v1/rules"));
      const found = data.groups.flatMap(({ rules: list }) => list);
      expect(found.length).toBeGreaterThan(30);
      expect(found.filter(({ health }) => health !== "ok")).toEqual([]);
    }
  });
});

describe("promtool", () => {
  const settings = labSettings();
  const promtool = async (args: readonly string[], folder: string) => {
    const names = await readdir(path.join(settings.root, folder));
    const files = names.map((name) => path.join(settings.root, folder, name));
    expect(files.length).toBeGreaterThan(1);
    const { exitCode, all } = await execa("promtool", [...args, ...files], {
      env: labEnvironment(settings),
      all: true,
      reject: false,
    });
    expect(exitCode, all).toBe(0);
  };

  it("finds nothing wrong with the rule files", async () => {
    await promtool(["check", "rules", "--lint=all", "--lint-fatal"], "monitoring/rules");
  });

  it("counts for the gates what proxies have counted, read twice or restarted", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "gates-"));
    await writeFile(path.join(folder, "gates.yaml"), await gateQueriesTest());
    const { exitCode, all } = await execa("promtool", ["test", "rules", "gates.yaml"], {
      cwd: folder,
      env: labEnvironment(settings),
      all: true,
      reject: false,
    });
    await rm(folder, { recursive: true });
    expect(exitCode, all).toBe(0);
  });

  it("sees the alerts fire that should, and no others", async () => {
    await promtool(["test", "rules"], "monitoring/tests");
  });
});

describe("under load", () => {
  /** Ends with the client's pod. */
  const steady = (args: readonly string[]) => {
    for (const cluster of clusters) {
      curl(cluster, ["--rate", "10/s", "--output", "/dev/null", ...args]).catch(() => undefined);
    }
  };

  /** A change of the mesh's configuration, which proxies follow: how fast is one of the panels. */
  const pushed: KubernetesObject & { spec: unknown } = {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name: CLIENT, namespace: "client" },
    spec: {
      hosts: [`${CLIENT}.example.com`],
      location: "MESH_EXTERNAL",
      resolution: "NONE",
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    },
  };

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.objects.delete(pushed)));
  });

  it("has data for every query of every dashboard", async () => {
    await Promise.all(clusters.map((cluster) => cluster.objects.create(pushed)));
    steady([`${URL_PATH}?request=[1-5000]`]);
    steady(["--header", "x-canary: true", `${URL_PATH}?request=[1-5000]`]);
    const queries = dashboards().flatMap(({ file, text }) =>
      panelQueries(JSON.parse(text) as DashboardJson).map(({ title, expr }) => ({
        panel: `${file}: ${title}`,
        promql: expr
          .replaceAll("$__rate_interval", "1m")
          .replaceAll(/\$(?:cluster|namespace|service)/g, ".*"),
      })),
    );
    expect(queries.length).toBeGreaterThan(15);
    for (const { name } of clusters) {
      await until(
        `data for every panel in ${name}`,
        async () => {
          const results = await Promise.all(
            queries.map(async ({ panel, promql }) => ({
              panel,
              series: await query(name, promql),
            })),
          );
          const values = (series: readonly { readonly value: number }[]) =>
            series.filter(({ value }) => !Number.isNaN(value));
          expect(
            results.filter(({ series }) => values(series).length === 0).map(({ panel }) => panel),
          ).toEqual([]);
        },
        { timeoutMs: 60_000, everyMs: 1_000 },
      );
    }
  });

  it(
    "alerts in the Alertmanager of the cluster that fails, within two scrape intervals, until it is well again",
    { timeout: 240_000 },
    async () => {
      const [failing] = clusters;
      if (!failing) throw new Error("the lab has no cluster");
      const bad = await ensureClientPod(failing, `${CLIENT}-bad`, [
        ...["curl", "--silent", "--output", "/dev/null", "--rate", "30/s"],
        ...["--header", "x-canary: true", `${URL_PATH}?codes=500:1&request=[1-9000]`],
      ]);
      const active = z.looseObject({
        data: z.looseObject({
          alerts: z.array(
            z.looseObject({
              labels: z.record(z.string(), z.string()),
              activeAt: z.coerce.date(),
              state: z.string(),
            }),
          ),
        }),
      });
      const alert = await until(
        `${ALERT} in Alertmanager`,
        async () => {
          const [found] = await alertsOf(failing, ALERT);
          if (!found) throw new Error("it is not there");
          return found;
        },
        { timeoutMs: 90_000, everyMs: 500 },
      );
      expect(alert.labels).toMatchObject({
        cluster: failing.name,
        destination_service_name: userService.name,
        destination_version: userService.canary,
        severity: "critical",
      });
      const { data } = active.parse(await prometheus.get(failing.name)?.get("/api/v1/alerts"));
      const since = data.alerts.find(({ labels }) => labels["alertname"] === ALERT)?.activeAt;
      const waited = alert.startsAt.getTime() - (since?.getTime() ?? 0);
      expect(waited).toBeGreaterThanOrEqual(FOR_MS);
      expect(waited).toBeLessThanOrEqual(FOR_MS + 2 * INTERVAL_MS);

      await deleteClientPod(failing, bad.metadata?.name);
      await until(
        `${ALERT} to be resolved`,
        async () => {
          for (const cluster of clusters) expect(await alertsOf(cluster, ALERT)).toEqual([]);
        },
        { timeoutMs: 90_000, everyMs: 1_000 },
      );
    },
  );
});
