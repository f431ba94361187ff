import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Rise } from "../../../fleet/checks/check.ts";
import { runChecks } from "../../../fleet/checks/index.ts";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
import { writeNotes } from "../../../fleet/notes.ts";
import { routesOf } from "../../../fleet/routing/istio/read-routes.ts";
import { gatewayObjectionOf } from "../../../fleet/routing/istio/gateway-objects.ts";
import { madeObjects } from "../../../fleet/routing/istio/made-objects.ts";
import { claimsOf } from "../../../fleet/routing/istio/read-routing.ts";
import { routingScope } from "../../../fleet/routing/istio/routing-scope.ts";
import { releaseRoles, type Right } from "../../../lib/rights.ts";
import { zero } from "../../../release/commands/zero.ts";
import { KubernetesEvents } from "../../../release/kubernetes-events.ts";
import { checkLimits } from "../../helpers/check-limits.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../helpers/fake-api-server.ts";

/** What is asked of an API server: `apps deployments get`, and in which namespace. */
interface Asked {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

const VERBS: Readonly<Record<string, string>> = {
  PATCH: "patch",
  POST: "create",
  PUT: "update",
  DELETE: "delete",
};

/** What a request is about; undefined for the discovery of kinds, which every user may read. */
function askedBy(request: string): Asked | undefined {
  const [, method = "", group = "", rest = ""] =
    /^(\S+) \/(?:api|apis\/([^/]+))\/v\w+\/(.+)$/.exec(request) ?? [];
  if (rest === "") return undefined;
  const parts = rest.split("/");
  const isInside = parts[0] === "namespaces" && parts.length > 2;
  const [resource = "", name, sub] = isInside ? parts.slice(2) : parts;
  return {
    group,
    resource: sub === undefined ? resource : `${resource}/${sub}`,
    verb: VERBS[method] ?? (name === undefined ? "list" : "get"),
    namespace: isInside ? parts[1] : undefined,
    name,
  };
}

const GROUPS: Readonly<Record<string, string>> = {
  core: "",
  lean: "",
  apps: "apps",
  autoscaling: "autoscaling",
  coordination: "coordination.k8s.io",
};
const WORDS: Readonly<Record<string, string>> = { read: "get", replace: "update" };

/** What a file calls of the API server by methods that name the kind. */
function calledIn(source: string): readonly Asked[] {
  const call =
    /\b(core|lean|apps|autoscaling|coordination)\s*\.(read|list|create|replace|patch|delete)(?:Namespaced)?([A-Z]\w*?)(?:ForAllNamespaces)?\(/g;
  return [...source.matchAll(call)].map(([, api = "", verb = "", kind = ""]) => ({
    group: GROUPS[api] ?? "",
    resource: `${kind.toLowerCase()}s`,
    verb: WORDS[verb] ?? verb,
  }));
}

/** Files that need other rights: docs/permissions.md lists these by what is configured. */
const BY_CONFIG = [
  "fleet/existing-istio/",
  "fleet/find-services.ts",
  "fleet/find-workload.ts",
  "fleet/service-pod.ts",
  "fleet/upgrade/find-tags.ts",
  "fleet/watch-errors.ts",
  "release/commands/guard.ts",
];

const key = ({ group, resource, verb }: Asked) => [group, resource, verb].join(" ").trim();
const rights = releaseRoles.flatMap((role) => role.rights);
const keysOf = ({ group, resources, verbs }: Right) =>
  resources.flatMap((resource) => verbs.map((verb) => key({ group, resource, verb })));
const root = path.resolve(import.meta.dirname, "../../..");
const sources = globSync("{fleet,release,stacks}/**/*.ts", { cwd: root });
const read = (file: string) => readFileSync(path.join(root, file), "utf8");

describe("the rights of a release", () => {
  let dir: string;
  let server: FakeApiServer;
  let recorded: readonly Asked[];

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "rights-"));
    const route = canaryAt(10, { contexts: ["cluster-a"] });
    server = await FakeApiServer.start(route);
    server.istiods = ["istiod-1"];
    const kubeconfig = path.join(dir, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigText({ "cluster-a": server.url }));
    const cluster = new ClusterClient({ name: "cluster-a", context: "cluster-a", kubeconfig });
    const { service, namespace, canary } = route;
    const host = `${service}.${namespace}.svc.cluster.local`;
    const [found] = await routesOf(cluster, [{ service, namespace }]);
    if (!found) throw new Error("there is a route");
    const rise: Rise = {
      ...{ service, namespace, canary, weight: 10, quarantine: [], host, hosts: [host] },
      changes: new Map([
        ["cluster-a", { route: { ...found.route, images: {} }, rules: found.route.rules }],
      ]),
    };
    await runChecks({
      ...{ cluster, clusters: [cluster], rises: [rise], canaries: [rise], limits: checkLimits },
    });
    const expected = { hosts: [host], canary, weight: 10 };
    await confirmWeights(cluster, [expected], { timeoutMs: 5_000, askEnvoys: 10 });
    const scope = routingScope({ service, namespace }, "cluster.local", [], []);
    // The server has VirtualServices alone. What it does not have, it is asked for all the same.
    await Promise.allSettled([claimsOf(cluster, scope), madeObjects(cluster, namespace)]);
    await gatewayObjectionOf(cluster, "edge/public", [host], namespace);
    await writeNotes(cluster, namespace, "note", { note: {} });
    const ended = { event: "end", result: "done" } as Parameters<KubernetesEvents["publish"]>[0];
    await new KubernetesEvents([cluster], [{ service, namespace }]).publish(ended);
    vi.spyOn(console, "log").mockReturnValue();
    await zero({ kubeconfig, withinMs: 5_000 });
    recorded = [...server.requests, ...server.forwarded.map((each) => `GET ${each}`)].flatMap(
      (request) => askedBy(request) ?? [],
    );
  });

  afterAll(async () => {
    vi.restoreAllMocks();
    server.stop();
    await rm(dir, { recursive: true });
  });

  it("are enough for all that checks, confirmations, notes and the way to zero ask for", () => {
    const [fleet, services] = releaseRoles.map((role) => role.rights);
    const allows = (given: readonly Right[] = [], asked: Asked) =>
      given.some(
        (right) =>
          keysOf(right).includes(key(asked)) &&
          (!right.names || right.names.includes(asked.name ?? "")),
      );
    const beyond = recorded.filter(
      (asked) => !allows(fleet, asked) && !(asked.namespace === "user" && allows(services, asked)),
    );
    expect(beyond).toEqual([]);
    expect(recorded.length).toBeGreaterThan(20);
  });

  const called = sources
    .filter((file) => !BY_CONFIG.some((each) => file.startsWith(each)))
    .filter((file) => file !== "fleet/helm-records.ts")
    .flatMap((file) => calledIn(read(file)));

  it("are enough for every kind that the code calls by its name", () => {
    const given = rights.flatMap(keysOf);
    expect(called.map(key).filter((each) => !given.includes(each))).toEqual([]);
    expect(called.length).toBeGreaterThan(15);
  });

  it("are no more than that, beside what Pulumi needs to keep its objects and to wait for them", () => {
    const asked = new Set([...recorded, ...called].map(key));
    const others = rights
      .filter((right) => !right.for.startsWith("Pulumi"))
      .flatMap(keysOf)
      .filter((each) => !asked.has(each));
    expect(others).toEqual([
      // Newer API servers ask for it where a WebSocket is opened.
      "pods/portforward create",
      // Tried in the lab: it takes an Envoy that sends requests to another cluster.
      "pods/exec get",
      "pods/exec create",
      // An apply creates what is not there.
      "configmaps create",
    ]);
  });

  it("let no Secret be read, and nothing in the code reads one", () => {
    expect(rights.flatMap(({ resources }) => resources)).not.toContain("secrets");
    const secrets = sources.filter((file) => /(?:read|list|watch)\w*Secret/.test(read(file)));
    // Of Helm's own, and of remote secrets, in a stack that installs the mesh, it lists the metadata.
    const listed = ["fleet/drain-marks.ts", "fleet/helm-records.ts"];
    expect(secrets.sort()).toEqual(["fleet/cluster-client.ts", ...listed]);
    for (const file of listed) {
      expect(read(file)).toContain("secretsMetadata.listNamespacedSecret");
    }
  });
});
