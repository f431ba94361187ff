import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { inForce } from "../../../release/in-force.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../helpers/fake-api-server.ts";
import { settings } from "../../helpers/fixtures.ts";

const route = canaryAt(0);
let dir: string;
let a: FakeApiServer;
let b: FakeApiServer;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "in-force-"));
  [a, b] = [await FakeApiServer.start(route), await FakeApiServer.start(route)];
});
afterEach(async () => {
  a.stop();
  b.stop();
  await rm(dir, { recursive: true });
});

async function look(weight = 0) {
  const kubeconfig = path.join(dir, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText({ "cluster-a": a.url, "cluster-b": b.url }));
  const clusters = ["cluster-a", "cluster-b"].map(
    (name) => new ClusterClient({ name, context: name, kubeconfig }),
  );
  const of = settings({ weight });
  return inForce({ ...of, safety: { ...of.safety, confirmWithin: "3s" } }, clusters);
}

describe("what is in force", () => {
  it("is read back from every API server and every Envoy", async () => {
    expect(await look()).toEqual({
      lines: ["cluster-a", "cluster-b"].map(
        (name) => `${name}: v2 of user/user-service has 0 % in its API server and in 1 Envoys`,
      ),
      problems: [],
    });
  });

  it("is not what an update has reported", async () => {
    a.put({ ...route, weight: 10 });
    b.envoy = 10;
    const { lines, problems } = await look();
    expect(lines).toEqual([]);
    expect(problems).toEqual([
      "cluster-a: v2 of user/user-service is not confirmed at 0 %: its API server has 10 %",
      expect.stringMatching(/^cluster-b: .* not confirmed at 0 %: .*user\/client serves 10 %/),
    ]);
    b.stop();
    expect((await look()).problems[1]).toMatch(/^cluster-b: .*ECONNREFUSED/);
  });
});
