import type { KubernetesObject } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { MeshCluster } from "../../fleet/cluster.ts";
import { ADMIN_PORT } from "../../fleet/envoy.ts";
import { get } from "../../fleet/pod-http.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { labEnvironment } from "../../lab/environment.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { labClusters, labPulumi } from "./lab.ts";

const settings = labSettings();
const clusters = labClusters();
const [, second] = clusters as [MeshCluster, MeshCluster];
const pulumi = labPulumi();
let load: LoadClient[] = [];

interface Event {
  readonly event: string;
  readonly weight?: number;
  readonly reason?: string;
  readonly result?: string;
}

/** Runs `release rollout` to its end, and gives its events and exit code. */
async function release(...options: readonly string[]) {
  const { stdout, exitCode, stderr } = await execa(
    "node",
    ["release/cli.ts", "rollout", "--stack", "lab", "--json", ...options],
    { cwd: settings.root, env: labEnvironment(settings), reject: false },
  );
  const events = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
  return { events, exitCode, stderr };
}

const of = (events: readonly Event[], name: string) => events.filter(({ event }) => event === name);

/** A fault in the canary's pods of one cluster alone, which neither config nor routes know of. */
const fault: KubernetesObject & { spec: unknown } = {
  apiVersion: "networking.istio.io/v1alpha3",
  kind: "EnvoyFilter",
  metadata: { name: "bad-canary", namespace: userService.namespace },
  spec: {
    workloadSelector: { labels: { app: userService.name, version: userService.canary } },
    configPatches: [
      {
        applyTo: "HTTP_FILTER",
        match: {
          context: "SIDECAR_INBOUND",
          listener: {
            filterChain: {
              filter: {
                name: "envoy.filters.network.http_connection_manager",
                subFilter: { name: "envoy.filters.http.router" },
              },
            },
          },
        },
        patch: {
          operation: "INSERT_BEFORE",
          value: {
            name: "envoy.filters.http.fault",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
              abort: {
                http_status: 500,
                percentage: { numerator: 5, denominator: "HUNDRED" },
              },
            },
          },
        },
      },
    ],
  },
};

beforeAll(async () => {
  await pulumi.setWeight(0);
  await pulumi.up("rollout tests begin");
  load = await Promise.all(
    clusters.map((cluster) => loadInMesh(cluster, `http://${userService.host}/`)),
  );
});

afterAll(async () => {
  await Promise.all(load.map((client) => client.stop()));
  await pulumi.setWeight(0);
  await pulumi.up("rollout tests end");
});

describe("release rollout", () => {
  it("takes a good canary to 100 % in every cluster by itself, without a failed request", async () => {
    const { events, exitCode, stderr } = await release("--again");
    expect(stderr).toBe("");
    expect(of(events, "raised").map(({ weight }) => weight)).toEqual([10, 30, 100]);
    expect(of(events, "end")).toMatchObject([{ result: "done" }]);
    expect(exitCode).toBe(0);
    await confirmWeights(clusters, 100);
    const failures = load.flatMap(({ answers }) =>
      answers.flatMap(({ failure }) => (failure === undefined ? [] : [failure])),
    );
    expect(failures).toEqual([]);
  }, 600_000);

  it("stops a canary at 10 % that answers 5 % with 500 in one cluster only, and takes both clusters back", async () => {
    await pulumi.setWeight(0);
    await pulumi.up("rollout tests: again");
    await second.objects.create(fault);
    try {
      await until(
        "every pod of the canary to have the fault",
        async () => {
          const labels = `app=${userService.name},version=${userService.canary}`;
          for (const pod of await second.proxies(labels)) {
            const path = "/config_dump?resource=dynamic_listeners";
            if (!(await get(second, pod, ADMIN_PORT, path)).includes("filters.http.fault")) {
              throw new Error("one has not");
            }
          }
        },
        { timeoutMs: 30_000, everyMs: 500 },
      );
      const { events, exitCode } = await release("--again");
      expect(of(events, "raised").map(({ weight }) => weight)).toEqual([10]);
      const [rollBack] = of(events, "roll-back");
      expect(rollBack?.reason).toMatch(
        new RegExp(
          `^${second.name}: success rate of v2 of user/user-service: 9\\d\\.\\d % \\(surely .*\\) of \\d+ requests, at least 9\\d\\.\\d %$`,
        ),
      );
      expect(exitCode).toBe(2);
      await confirmWeights(clusters, 0);
    } finally {
      await second.objects.delete(fault);
    }
  }, 600_000);
});
