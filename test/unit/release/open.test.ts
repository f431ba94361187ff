import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { openRelease, requireMetrics, type OpenRelease } from "../../../release/open.ts";
import { ReleaseStack } from "../../../release/stack.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { BUILT_IN_GATES } from "../../../stacks/schema/gates.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

/** A stack with a configuration. */
async function open(more: object = {}): Promise<OpenRelease> {
  const { settings, problems } = parseConfig({ ...rawConfig(), ...more });
  const found = settings ? { settings } : { problems: problems.map(({ path }) => ` - ${path}`) };
  vi.spyOn(ReleaseStack, "open").mockResolvedValue({
    name: "prod",
    release: {},
    settings: () => found,
  } as unknown as ReleaseStack);
  return openRelease("prod");
}
const gates = (of: object) => ({ rollout: { gates: of } });

describe("openRelease", () => {
  it("has all clusters, and the Prometheus of those that have one", async () => {
    const raw = rawConfig();
    const [first, second] = raw.clusters;
    const clusters = [first, { ...second, prometheus: "https://prometheus.example.com" }];
    const release = await open({ clusters });
    expect(release.clusters.map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
    expect([...release.metrics.keys()]).toEqual(["cluster-b"]);
    const own = await open({ monitoring: { mode: "prometheus" } });
    expect([...own.metrics.keys()]).toEqual(["cluster-a", "cluster-b"]);
  });

  it("goes the way to a Prometheus that the configuration says", async () => {
    const server = createServer(({ url = "", headers }, response) => {
      const sent = `${url} ${headers.authorization ?? "-"}`;
      response.end(JSON.stringify({ sent }));
    }).listen(0, "127.0.0.1");
    try {
      await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const [first, second] = rawConfig().clusters;
      const release = await open({
        clusters: [
          { ...first, prometheus: url },
          { ...second, prometheus: "http://elsewhere.invalid" },
        ],
        prometheus: { "cluster-b": { url: `${url}/mimir`, bearerToken: "t0k3n" } },
      });
      const asked = async (name: string) => release.metrics.get(name)?.get("/api");
      expect(await asked("cluster-a")).toEqual({ sent: "/api -" });
      expect(await asked("cluster-b")).toEqual({ sent: "/mimir/api Bearer t0k3n" });
    } finally {
      server.close();
    }
    const service = { namespace: "monitoring", name: "prometheus", port: 9090 };
    const through = await open({ prometheus: { "cluster-b": { service } } });
    expect([...through.metrics.keys()]).toEqual(["cluster-b"]);
  });

  it("says what is wrong with the configuration", async () => {
    await expect(open({ phases: [30, 10] })).rejects.toThrow(
      "The configuration of stack prod is invalid:\n - phases",
    );
  });

  it("needs a service with a canary", async () => {
    const services = rawConfig().services.map(({ name, namespace, port, stable }) => ({
      ...{ name, namespace, port, stable },
    }));
    await expect(open({ services, weight: 0 })).rejects.toThrow(
      "No service of stack prod has a canary: add services[].canary, and run pulumi up with weight 0.",
    );
  });
});

describe("requireMetrics", () => {
  it("names the clusters that no gate could judge", async () => {
    const release = await open();
    expect(() => {
      requireMetrics(release);
    }).toThrow(
      "No gate can judge the canary in cluster-a, cluster-b: this command knows no Prometheus there.",
    );
  });

  it.each([
    ["each cluster has a Prometheus", { monitoring: { mode: "prometheus" } }],
    ["no gate is on", gates({ without: BUILT_IN_GATES })],
    ["no gate has a say", gates({ dryRun: BUILT_IN_GATES })],
    [
      "only endpoints are asked",
      gates({
        without: BUILT_IN_GATES,
        web: [{ name: "mine", url: "https://a.example.com/{{version}}/{{window}}" }],
      }),
    ],
  ])("is content where %s", async (_, more) => {
    const release = await open(more);
    expect(() => {
      requireMetrics(release);
    }).not.toThrow();
  });
});
