import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { unreadNow, waitForReads } from "../../../fleet/remote-reads.ts";
import { FakeApiServer, kubeconfigText } from "../../helpers/fake-api-server.ts";

const NAMES = ["cluster-a", "cluster-b"];
const ALL = { "cluster-a": "synced", "cluster-b": "synced" };

let dir: string;
let servers: FakeApiServer[];
let clusters: ClusterClient[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "remote-reads-"));
  const kubeconfig = path.join(dir, "kubeconfig");
  servers = await Promise.all(NAMES.map(() => FakeApiServer.start()));
  await writeFile(
    kubeconfig,
    kubeconfigText(Object.fromEntries(NAMES.map((name, i) => [name, servers[i]?.url ?? ""]))),
  );
  clusters = NAMES.map((name) => new ClusterClient({ name, context: name, kubeconfig }));
  for (const server of servers) {
    server.istiods = ["istiod-1", "istiod-2"];
    for (const pod of server.istiods) server.reads.set(pod, ALL);
  }
});
afterEach(async () => {
  for (const server of servers) server.stop();
  await rm(dir, { recursive: true });
});

/** Has istiod's pods of the first cluster stand with the second one like that. */
function status(of: string, ...pods: readonly string[]): void {
  for (const pod of pods) servers[0]?.reads.set(pod, { ...ALL, "cluster-b": of });
}

describe("the reads of istiods", () => {
  it("are well when each pod of each istiod is in sync with the other cluster", async () => {
    expect(await unreadNow(clusters)).toEqual([]);
  });

  it("leave out a cluster that nobody is to read", async () => {
    status("timeout", "istiod-1");
    expect(await unreadNow(clusters, ["cluster-b"])).toEqual([]);
    expect(await unreadNow(clusters, ["cluster-a"])).toHaveLength(1);
  });

  it.each([
    {
      error:
        'failed to list *v1.Pod: Get "https://10.0.0.2:6443/api/v1/pods": tls: failed to verify certificate: x509: certificate signed by unknown authority',
      fix: "The certificate of its API server does not fit: see clusters[].apiServer of cluster-b, and the authority in the kubeconfig of its context.",
    },
    {
      error: "failed to list *v1.Service: Unauthorized",
      fix: "The token was revoked or has ended: run pulumi up --refresh, which makes Secret istio-reader-cluster-a-token in istio-system of cluster-b anew.",
    },
    {
      error:
        'failed to list *v1.Pod: pods is forbidden: User "system:serviceaccount:istio-system:istio-reader-cluster-a" cannot list resource "pods"',
      fix: "Its account may not read there: see the ClusterRoleBindings that begin with istio-reader-cluster-a in cluster-b; pulumi up --refresh makes them anew.",
    },
    {
      error:
        'failed to list *v1.Node: Get "https://10.0.0.2:6443/api/v1/nodes": dial tcp 10.0.0.2:6443: i/o timeout',
      fix: "Its API server cannot be reached from the pods of cluster-a: set clusters[].apiServer of cluster-b to a URL at which it can, and see firewalls.",
    },
  ])("name who does not read whom, and say why: $error", async ({ error, fix }) => {
    status("timeout", "istiod-2");
    const log = [
      "2030-01-01T00:00:00Z\terror\twatch error in cluster cluster-b: an older one",
      `2030-01-01T00:00:01Z\terror\twatch error in cluster cluster-b: ${error}`,
      "2030-01-01T00:00:02Z\terror\twatch error in cluster cluster-c: another one",
    ];
    servers[0]?.logs.set("istiod-2", log.join("\n"));
    expect(await unreadNow(clusters)).toEqual([
      `istiod of cluster-a (istiod-2) does not read cluster-b: it says timeout, and logs: ${error}. ${fix}`,
    ]);
  });

  it("have one line for pods with the same cause, and read logs that are JSON", async () => {
    status("syncing", "istiod-1", "istiod-2");
    for (const pod of ["istiod-1", "istiod-2"]) {
      const msg = "watch error in cluster cluster-b: something new";
      servers[0]?.logs.set(pod, `${JSON.stringify({ level: "error", msg })}\n{"level":"info"}\n`);
    }
    expect(await unreadNow(clusters)).toEqual([
      "istiod of cluster-a (istiod-1 and istiod-2) does not read cluster-b: it says syncing, and logs: something new.",
    ]);
  });

  it("say where to look when the log says nothing, or there is no remote secret", async () => {
    status("syncing", "istiod-1");
    servers[1]?.reads.set("istiod-1", { "cluster-b": "synced" });
    expect(await unreadNow(clusters)).toEqual([
      "istiod of cluster-a (istiod-1) does not read cluster-b: it says syncing, and its log does not say why, as where nothing listens at the API server's address. See clusters[].apiServer of cluster-b, and kubectl -n istio-system logs -l app=istiod in cluster-a.",
      "istiod of cluster-b (istiod-1) does not read cluster-a: it does not know of it. See Secret istio-remote-secret-cluster-a in istio-system of cluster-b: pulumi up --refresh makes it anew.",
    ]);
  });

  it("name a cluster without an istiod, and one that does not answer", async () => {
    const [first, second] = servers;
    if (first) first.istiods = [];
    second?.stop();
    const lines = await unreadNow(clusters);
    expect(lines).toEqual([
      "cluster-a: no pod of istiod runs",
      expect.stringMatching(/^cluster-b: istiod cannot be asked: .*ECONNREFUSED/),
    ]);
  });
});

describe("the wait for the reads", () => {
  it("ends once all is well", async () => {
    status("syncing", "istiod-1");
    setTimeout(() => {
      status("synced", "istiod-1");
    }, 1_500);
    expect(await waitForReads(clusters, { withinMs: 20_000 })).toEqual([]);
  });

  it("is bounded, and then says what the last look has found", async () => {
    status("syncing", "istiod-1");
    expect(await waitForReads(clusters, { withinMs: 1_500 })).toEqual([
      expect.stringContaining("istiod of cluster-a (istiod-1) does not read cluster-b"),
    ]);
  });

  it("does not believe what holds for a moment only, as before an istiod sees a new remote secret", async () => {
    setTimeout(() => {
      status("timeout", "istiod-1");
    }, 300);
    const lines = await waitForReads(clusters, { withinMs: 4_000, holdsMs: 2_000 });
    expect(lines).toHaveLength(1);
  });
});
