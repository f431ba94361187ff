import { createServer, type Server } from "node:http";
import { text } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { drainMarks, markDrained } from "../../../fleet/drain-marks.ts";
import { FakeObjects } from "../../helpers/fake-objects.ts";
import { kubeconfigText } from "../../helpers/fake-api-server.ts";

const NAME = "istio-remote-secret-cluster-b";
const SECRETS = "/api/v1/namespaces/istio-system/secrets";

let server: Server;
let cluster: ClusterClient;
let objects: FakeObjects;
let refuses: boolean;
/** Each write, as its query and its body. */
let writes: (readonly [Readonly<Record<string, string>>, unknown])[];
/** What lists were asked to give. */
let accepted: Set<string | undefined>;

function addSecret(labels: Readonly<Record<string, string>>): void {
  const annotations = { "networking.istio.io/cluster": "cluster-b" };
  const metadata = { name: NAME, namespace: "istio-system", uid: "u1", labels, annotations };
  objects.add({ apiVersion: "v1", kind: "Secret", metadata });
}

/** An API server's list of metadata has no items where there is none. */
function withoutItems(key: string, value: unknown): unknown {
  return key === "items" && Array.isArray(value) && value.length === 0 ? null : value;
}

beforeEach(async () => {
  objects = new FakeObjects();
  refuses = false;
  writes = [];
  accepted = new Set();
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const url = new URL(request.url ?? "", "http://api");
      response.setHeader("content-type", "application/json");
      if (request.method === "PATCH") {
        writes.push([Object.fromEntries(url.searchParams), JSON.parse(body)]);
      } else if (url.pathname === SECRETS) {
        accepted.add(request.headers.accept);
      }
      const { code, value } = (refuses && url.pathname.startsWith(SECRETS)
        ? undefined
        : objects.answer(request.method ?? "", url, body)) ?? {
        ...{ code: 403, value: { message: "secrets is forbidden" } },
      };
      response.statusCode = code;
      response.end(JSON.stringify(value, withoutItems));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  cluster = new ClusterClient({
    ...{ name: "cluster-a", context: "a" },
    kubeconfig: kubeconfigText({ a: `http://127.0.0.1:${port}` }),
  });
});

afterEach(() => {
  server.close();
});

describe("a remote secret", () => {
  it("is taken out of use by its label, from whoever owns that, and only while it is there", async () => {
    await markDrained(cluster, "cluster-b", "away");
    expect(writes).toEqual([]);
    addSecret({ "istio/multiCluster": "true" });
    await markDrained(cluster, "cluster-b", "away");
    expect(writes).toEqual([
      [
        { fieldManager: "istio-canary-drain", force: "true" },
        {
          ...{ apiVersion: "v1", kind: "Secret" },
          metadata: {
            ...{ name: NAME, namespace: "istio-system", uid: "u1" },
            labels: { "istio-canary/drained": "away", "istio/multiCluster": "false" },
          },
        },
      ],
    ]);
    expect(await drainMarks(cluster)).toEqual(new Map([["cluster-b", "away"]]));
    // Of Secrets with keys, nothing but the metadata is asked for.
    expect([...accepted]).toEqual([expect.stringContaining("as=PartialObjectMetadataList")]);
  });

  it("leaves its use to Pulumi again once the cluster is equal, and at last has no mark", async () => {
    addSecret({ "istio/multiCluster": "false", "istio-canary/drained": "away" });
    await markDrained(cluster, "cluster-b", "equal");
    expect(await drainMarks(cluster)).toEqual(new Map([["cluster-b", "equal"]]));
    await markDrained(cluster, "cluster-b", undefined);
    const labels = writes.map(
      ([, body]) => (body as { metadata: { labels: object } }).metadata.labels,
    );
    expect(labels).toEqual([{ "istio-canary/drained": "equal" }, {}]);
  });

  it("that cannot be read or written fails the update", async () => {
    addSecret({ "istio/multiCluster": "true" });
    refuses = true;
    await expect(drainMarks(cluster)).rejects.toThrow(
      "cluster-a: whether its istiod is to read every other cluster is not known, since remote secrets cannot be listed: secrets is forbidden",
    );
  });
});
