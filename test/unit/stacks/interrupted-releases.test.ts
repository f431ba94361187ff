import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HELM_WITHIN_MS } from "../../../lib/helm-records.ts";
import { InterruptedReleases } from "../../../stacks/interrupted-releases.ts";
import { kubeconfigText } from "../../helpers/fake-api-server.ts";
import { kubeconfigFile } from "../../helpers/fixtures.ts";

const RELEASE = "kubernetes:helm.sh/v3:Release";
const NAMESPACE = "/api/v1/namespaces/istio-system/secrets";
const CNI_NAMESPACE = "/api/v1/namespaces/kube-system/secrets";
const file = kubeconfigFile();
const SECRET = "sh.helm.release.v1.istiod.v2";
const DELETE = `kubectl --kubeconfig ${file} --context a --namespace istio-system delete secret ${SECRET}`;

let server: Server;
/** The release that is looked at. */
let release: string;
/** Releases in kube-system whose upgrade is pending. */
let inKubeSystem: readonly string[];
/** Status of each of its revisions there. */
let revisions: readonly string[];
let begun: Date;
let requests: string[];
let accepted: Set<string | undefined>;
/** What the API server answers to a deletion. */
let deletion: () => number;
let said: string[];

function labels(status: string, version: number) {
  return { owner: "helm", name: release, status, version: String(version) };
}

/** What kube-system has, of which a selector may name one. */
function agents(selector: string) {
  const named = /(?:^|,)name=([^,]+)/.exec(selector)?.[1];
  return inKubeSystem
    .filter((name) => named === undefined || name === named)
    .map((name) => ({
      metadata: {
        name: `sh.helm.release.v1.${name}.v2`,
        namespace: "kube-system",
        ...{ uid: "u", resourceVersion: "7", labels: { ...labels("pending-upgrade", 2), name } },
        creationTimestamp: begun.toISOString(),
      },
    }));
}

function secrets(selector: string) {
  const onlyPending = selector.includes("status in");
  return revisions
    .map((status, i) => ({
      metadata: {
        name: `sh.helm.release.v1.${release}.v${i + 1}`,
        namespace: "istio-system",
        ...{ uid: `u${i}`, resourceVersion: "7", labels: labels(status, i + 1) },
        creationTimestamp: begun.toISOString(),
      },
    }))
    .filter(({ metadata }) => !onlyPending || metadata.labels.status.startsWith("pending-"));
}

beforeEach(async () => {
  release = "istiod";
  inKubeSystem = [];
  revisions = ["deployed", "pending-upgrade"];
  begun = new Date(Date.now() - HELM_WITHIN_MS - 5_000);
  requests = [];
  accepted = new Set();
  said = [];
  deletion = () => {
    revisions = revisions.slice(0, -1);
    return 200;
  };
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://api");
    response.setHeader("content-type", "application/json");
    if (request.method === "DELETE") {
      request.setEncoding("utf8").on("data", (body: string) => {
        requests.push(`${url.pathname} ${body}`);
      });
      response.statusCode = deletion();
      response.end(JSON.stringify({ kind: "Status", message: `it says ${response.statusCode}` }));
      return;
    }
    accepted.add(request.headers.accept);
    const selector = url.searchParams.get("labelSelector") ?? "";
    const items =
      url.pathname === NAMESPACE
        ? secrets(selector)
        : url.pathname === CNI_NAMESPACE
          ? agents(selector)
          : [];
    response.end(JSON.stringify({ kind: "SecretList", apiVersion: "v1", metadata: {}, items }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  writeFileSync(
    file,
    kubeconfigText({ a: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
  );
  for (const severity of ["info", "warn"] as const) {
    vi.spyOn(pulumi.log, severity).mockImplementation(async (text) => {
      said.push(text);
      return Promise.resolve();
    });
  }
});

afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

/** The releases as an update finds them, and what it does before it creates or updates istiod. */
async function found(isPreview = false, kubeconfig = file, mesh: { cni?: "installed" } = {}) {
  vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(isPreview);
  const clusters = [{ name: "cluster-a", context: "a", kubeconfig }];
  const releases = await InterruptedReleases.find(clusters, mesh);
  const resource = { urn: pulumi.output("urn") } as pulumi.Resource;
  const of = (type: string) =>
    releases.before("cluster-a")({ resource, type, name: "istiod", props: {}, opts: {} });
  const run = async (kind: "beforeCreate" | "beforeUpdate") => {
    const hooks = of(RELEASE)?.opts.hooks?.[kind] as pulumi.ResourceHookFunction[];
    const newInputs = { namespace: "istio-system", name: release };
    for (const hook of hooks) {
      await hook({ urn: "urn", id: "id", name: "istiod", type: RELEASE, newInputs });
    }
  };
  return { releases, of, run };
}

const settled = async <T>(output: pulumi.Output<T>) =>
  new Promise<T>((resolve) => {
    output.apply(resolve);
  });

describe("before Helm upgrades a release", () => {
  it("the record of an upgrade that nobody can be at work on is deleted, as it was read", async () => {
    const { run } = await found();
    await run("beforeUpdate");
    const preconditions = { preconditions: { resourceVersion: "7", uid: "u1" } };
    expect(requests).toEqual([`${NAMESPACE}/${SECRET} ${JSON.stringify(preconditions)}`]);
    expect(said).toEqual([
      `cluster-a: Helm's upgrade of istio-system/istiod (revision 2, begun ${begun.toISOString()}) was interrupted. Its record is deleted; Helm goes on from what was complete.`,
    ]);
  });

  it("so is that of another control plane beside it", async () => {
    release = "istiod-1-31-1";
    const { run } = await found();
    await run("beforeUpdate");
    expect(requests).toEqual([expect.stringContaining("/sh.helm.release.v1.istiod-1-31-1.v2 ")]);
  });

  it("reads no content of a Secret", async () => {
    await (await found()).run("beforeUpdate");
    expect([...accepted]).toEqual([
      "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    ]);
  });

  it("one that Helm may be at work on is waited for, and stays", async () => {
    begun = new Date();
    const { run } = await found();
    const waits = run("beforeUpdate");
    await vi.waitFor(() => {
      expect(said).toHaveLength(1);
    });
    expect(said[0]).toContain("This update waits until it has ended, at most until");
    expect(said[0]).toContain(`do not wait: ${DELETE}`);
    revisions = ["superseded", "deployed"];
    await waits;
    expect(said).toHaveLength(1);
    expect(requests).toEqual([]);
  });

  it("a record that has changed meanwhile is looked at again", async () => {
    deletion = () => {
      revisions = ["superseded", "deployed"];
      return 409;
    };
    await (await found()).run("beforeUpdate");
    expect(requests).toHaveLength(1);
    expect(said).toEqual([]);
  });

  it("who may not delete it is told what somebody has to do", async () => {
    deletion = () => 403;
    await expect((await found()).run("beforeUpdate")).rejects.toThrow(
      `its record cannot be deleted: it says 403. Have somebody run ${DELETE}, then run pulumi up again.`,
    );
  });

  it("nothing is done where the last upgrade is complete, or nothing can be read", async () => {
    revisions = ["superseded", "deployed"];
    const { run } = await found();
    await run("beforeUpdate");
    server.closeAllConnections();
    server.close();
    await run("beforeUpdate");
    expect([...requests, ...said]).toEqual([]);
  });
});

describe("before Helm installs a release", () => {
  it("an installation that was interrupted begins anew", async () => {
    revisions = ["pending-install"];
    await (await found()).run("beforeCreate");
    expect(requests).toHaveLength(1);
  });

  it("a release that Pulumi does not know is left as it is", async () => {
    revisions = ["superseded", "deployed"];
    await expect((await found()).run("beforeCreate")).rejects.toThrow(
      new Error(
        [
          "cluster-a: there is a Helm release istio-system/istiod (deployed) that Pulumi's state does not know; Helm does not install a second one of that name.",
          `If an update of this stack was killed as it installed it, delete the record, and Helm takes over what is there: ${DELETE} && pulumi up`,
          "Otherwise somebody else has installed it, and nothing of it has changed.",
        ].join("\n"),
      ),
    );
    expect(requests).toEqual([]);
  });
});

describe("an interrupted release", () => {
  it("that Pulumi takes for complete is named, with the way to repair it", async () => {
    const { releases, of } = await found();
    of(RELEASE);
    await settled(releases.warnOfRest());
    expect(said).toEqual([
      expect.stringContaining(
        `Delete the record, then let Pulumi compare: ${DELETE} && pulumi up --refresh`,
      ),
    ]);
    expect(requests).toEqual([]);
  });

  it("that Helm has gone on from is not", async () => {
    const { releases, run } = await found();
    await run("beforeUpdate");
    said = [];
    await settled(releases.warnOfRest());
    expect(said).toEqual([]);
  });

  it("is told in a preview, which does nothing about it", async () => {
    const { releases } = await found(true);
    await releases.warn();
    await settled(releases.warnOfRest());
    expect(said).toEqual([
      [
        "An update of the mesh was interrupted, or is still at work:",
        ` - cluster-a: Helm's upgrade of istio-system/istiod (revision 2, begun ${begun.toISOString()}); its record: ${DELETE}`,
        "pulumi up goes on from what was complete. It first waits until no Helm can be at work any more, which is 6 minutes after it began; a lower weight does not wait. If the update was killed with all its processes, delete the records by these commands, and nothing waits.",
      ].join("\n"),
    ]);
    expect(requests).toEqual([]);
  });

  it("of Istio's CNI agent is told too where the program installs that, and none of others beside it", async () => {
    revisions = ["deployed"];
    inKubeSystem = ["istio-cni", "coredns"];
    await (await found(true)).releases.warn();
    expect(said).toEqual([]);
    await (await found(true, file, { cni: "installed" })).releases.warn();
    const remove = `kubectl --kubeconfig ${file} --context a --namespace kube-system delete secret sh.helm.release.v1.istio-cni.v2`;
    expect(said[0]?.split("\n").slice(1, -1)).toEqual([
      ` - cluster-a: Helm's upgrade of kube-system/istio-cni (revision 2, begun ${begun.toISOString()}); its record: ${remove}`,
    ]);
  });

  it("is told without any content of a kubeconfig", async () => {
    const content = readFileSync(file, "utf8");
    const { releases } = await found(true, content);
    await releases.warn();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`its record: ${DELETE.replace(file, "FILE")}\n`);
    expect(said[0]).not.toContain(content);
  });
});

it("resources that are no releases are left as they are", async () => {
  const { of } = await found();
  expect(of("kubernetes:core/v1:Secret")).toBeUndefined();
});
