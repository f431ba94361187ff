import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiException } from "@kubernetes/client-node";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { findWorkload } from "../../../fleet/find-workload.ts";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import { adoptableOf } from "../../../fleet/routing/istio/adoptable.ts";
import { problemLine } from "../../../lib/problems.ts";
import type { Split } from "../../../lib/weights.ts";
import { AdoptedObjects } from "../../../stacks/adopted-objects.ts";
import { existingFindings } from "../../../stacks/existing-workloads.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { deployedCluster, split } from "../../helpers/deployed.ts";
import { existingSettings, foundWorkload } from "../../helpers/existing.ts";

vi.mock(import("../../../fleet/find-workload.ts"), () => ({
  findWorkload: vi.fn<typeof findWorkload>(),
}));

const NAMES = ["cluster-a", "cluster-b"];
const object = (kind: string) => ({ kind, namespace: "user", name: "user-service" });
const route = object("VirtualService");
const rule = object("DestinationRule");

/** Rules of others that say what the config says, unless told otherwise. */
const theirs = {
  virtualservices: {
    metadata: { annotations: {} },
    spec: {
      hosts: ["user-service"],
      http: [
        {
          route: [
            { destination: { host: "user-service", subset: "v1" }, weight: 90 },
            { destination: { host: "user-service", subset: "v2" }, weight: 10 },
          ],
        },
      ],
    },
  },
  destinationrules: {
    metadata: { annotations: {} },
    spec: { host: "user-service", subsets: [{ name: "v1", labels: { version: "v1" } }] },
  },
};

/** A cluster with these objects, by the plural of their kind, which have the service's name, or by that and their own name. */
function clusterWith(name: string, objects: Readonly<Record<string, unknown>>): ClusterClient {
  const keyOf = (plural: string, own: string) =>
    own === "user-service" ? plural : `${plural}/${own}`;
  return {
    name,
    custom: {
      getNamespacedCustomObject: (asked: { plural: string; name: string }) => {
        const found = objects[keyOf(asked.plural, asked.name)];
        return found === undefined
          ? Promise.reject(new ApiException(404, "not found", {}, {}))
          : Promise.resolve(found);
      },
      listNamespacedCustomObject: ({ plural }: { plural: string }) =>
        Promise.resolve({
          items: Object.entries(objects).flatMap(([key, object]) => {
            const [kind, own = "user-service"] = key.split("/");
            const { metadata } = object as { metadata: object };
            const named = { ...metadata, name: own, namespace: "user" };
            return kind === plural ? [{ ...(object as object), metadata: named }] : [];
          }),
        }),
    },
  } as unknown as ClusterClient;
}

const config = { adopt: true, timeout: "none", ingressHosts: [] };

/** What becomes of cluster-a's rules; cluster-b has theirs. */
async function find(
  objects: Readonly<Record<string, unknown>> = theirs,
  { weight = 10, now = split("v1", "v2", 10) }: { weight?: number; now?: Split } = {},
  more: Readonly<Record<string, unknown>> = {},
) {
  const to = existingSettings({ ...config, ...more }, weight);
  const clusters = NAMES.map((name) => clusterWith(name, name === "cluster-a" ? objects : theirs));
  const from = NAMES.map((name) => deployedCluster(name, now));
  const plan = planRelease(to, from);
  const adopted = await AdoptedObjects.find(to, clusters, from, plan);
  return { to, clusters, from, plan, adopted };
}

beforeEach(() => {
  vi.mocked(findWorkload).mockReset().mockResolvedValue(foundWorkload());
  vi.spyOn(clusterRouting, "adoptable").mockImplementation(adoptableOf);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("rules of others that are adopted", () => {
  it("are imported by their names, with what they say now and then", async () => {
    const { adopted, plan, to, clusters, from } = await find();
    expect(adopted.problems).toEqual([]);
    expect(plan.problems).toEqual([]);
    for (const name of NAMES) {
      expect(adopted.idOf(name, route)).toBe("user/user-service");
      expect(adopted.idOf(name, rule)).toBe("user/user-service");
      expect(adopted.idOf(name, object("ServiceEntry"))).toBeUndefined();
    }
    expect(adopted.notice).toContain(
      " - VirtualService user/user-service in cluster-a: now 10 % to v2, 90 % to v1; then 90 % to v1, 10 % to v2",
    );
    const claims = vi.spyOn(clusterRouting, "claims").mockResolvedValue([]);
    expect(await existingFindings(to, clusters, from, plan, adopted)).toMatchObject({
      problems: [],
      warnings: [],
    });
    expect(claims).toHaveBeenCalledWith(clusters[0], expect.anything(), true);
  });

  it("are imported all the same where they are the program's, whose state was lost", async () => {
    const own = { metadata: { annotations: { "pulumi.com/patchForce": "true" } }, spec: {} };
    const { adopted } = await find({
      virtualservices: own,
      "serviceentries/user-service-cluster-b": own,
      "serviceentries/another": own,
    });
    expect(adopted.problems).toEqual([]);
    expect(adopted.idOf("cluster-a", route)).toBeUndefined();
    expect(adopted.ownIdOf("cluster-a", route)).toBe("user/user-service");
    const entry = { ...object("ServiceEntry"), name: "user-service-cluster-b" };
    expect(adopted.ownIdOf("cluster-a", entry)).toBe("user/user-service-cluster-b");
    // Not the service's, not there, and somebody else's.
    expect(adopted.ownIdOf("cluster-a", { ...entry, name: "another" })).toBeUndefined();
    expect(adopted.ownIdOf("cluster-a", rule)).toBeUndefined();
    expect(adopted.ownIdOf("cluster-b", route)).toBeUndefined();
    expect(adopted.notice).not.toContain("in cluster-a");
  });

  it("are not taken from another stack", async () => {
    const own = { metadata: { annotations: { "pulumi.com/patchForce": "true" } }, spec: {} };
    const { to, clusters, from, plan } = await find({ virtualservices: own });
    const configured = (key: string) =>
      JSON.stringify({ format: 1, at: 1, weight: 10, canaries: { [key]: "v2" } });
    const problems = async (notes: Readonly<Record<string, string>>) => {
      const journals = new Map([["cluster-a", [notes]]]);
      const found = await AdoptedObjects.find(to, clusters, from, plan, journals, "prod");
      return found.problems.map(problemLine);
    };
    const other = { "configured-shop": configured("user/user-service") };
    expect(await problems(other)).toEqual([
      " - services[0].adopt: must not take the routes of user/user-service in cluster-a from stack shop, whose last update has made them, got true. Take the service out of stack shop (release eject --stack shop --service user/user-service). If that stack is no more, delete the key configured-shop of the ConfigMap istio-canary-rollout in the service's namespace.",
    ]);
    expect(await problems({ "configured-shop": configured("user/other") })).toEqual([]);
    const both = { ...other, "configured-prod": configured("user/user-service") };
    expect(await problems(both)).toEqual([]);
  });

  it("are those for a host that names a cluster too, once these were handed back", async () => {
    const host = "user-service.user.cluster-b.mesh";
    const { adopted } = await find({
      ...theirs,
      "serviceentries/user-service-cluster-b": { metadata: {}, spec: { hosts: [host] } },
      "destinationrules/user-service-cluster-b": { metadata: {}, spec: { host: "another.host" } },
    });
    const name = "user-service-cluster-b";
    expect(adopted.idOf("cluster-a", { ...object("ServiceEntry"), name })).toBe(`user/${name}`);
    expect(adopted.idOf("cluster-a", { ...rule, name })).toBeUndefined();
    expect(adopted.notice).toContain(` - ServiceEntry user/${name} in cluster-a`);
  });

  it("are refused where a controller of Argo Rollouts writes them", async () => {
    const annotations = { "argo-rollouts.argoproj.io/managed-by-rollouts": "shop" };
    const { adopted } = await find({
      ...theirs,
      destinationrules: { ...theirs.destinationrules, metadata: { annotations } },
    });
    expect(adopted.problems.map(problemLine)).toEqual([
      expect.stringContaining(
        "but of DestinationRule user/user-service in cluster-a metadata.annotations[argo-rollouts.argoproj.io/managed-by-rollouts] names Rollout shop, which writes it, got true.",
      ),
    ]);
  });

  it("are left where nobody asks for them", async () => {
    const unasked = await find(theirs, {}, { adopt: undefined });
    expect(unasked.adopted.idOf("cluster-b", route)).toBeUndefined();
    expect(unasked.adopted.notice).toBeUndefined();
  });

  it("are refused with what is in the way, before anything is written", async () => {
    const owned = {
      ...theirs.virtualservices,
      metadata: { ownerReferences: [{ kind: "Canary", name: "shop" }] },
    };
    const found = await find({ ...theirs, virtualservices: owned }, { weight: 0 });
    // Their weight is not the program's to lower.
    expect(found.plan.routes.map(({ rises, falls }) => [rises, falls])).toEqual([
      [false, false],
      [false, false],
    ]);
    vi.spyOn(clusterRouting, "claims").mockResolvedValue([]);
    const { to, clusters, from, plan, adopted } = found;
    const { problems } = await existingFindings(to, clusters, from, plan, adopted);
    expect(problems.map(problemLine)).toEqual([
      expect.stringContaining(
        "services[0].adopt: must change nothing for requests, but of VirtualService user/user-service in cluster-a metadata.ownerReferences names Canary shop, which writes it",
      ),
      ...NAMES.map((name): unknown =>
        expect.stringContaining(
          `of VirtualService user/user-service in ${name} spec.http[0].route is 10 % to v2, 90 % to v1, but the config makes it 100 % to v1 (stable, canary and weight)`,
        ),
      ),
    ]);
  });

  it("name the tool that seems to apply them", async () => {
    const helm = { annotations: { "meta.helm.sh/release-name": "shop" } };
    const { adopted } = await find({
      ...theirs,
      virtualservices: { ...theirs.virtualservices, metadata: helm },
    });
    expect(adopted.notice).toContain("Helm release shop seems to apply it");
  });

  it("name no version where theirs do not", async () => {
    const live = {
      virtualservices: {
        metadata: {},
        spec: {
          hosts: ["user-service"],
          http: [{ route: [{ destination: { host: "user-service" } }] }],
        },
      },
    };
    const to = existingSettings({ ...config, canary: undefined });
    const clusters = NAMES.map((name) => clusterWith(name, live));
    const from = NAMES.map((name) => deployedCluster(name, { ...split(""), canary: undefined }));
    const plan = planRelease(to, from);
    expect(plan.problems).toEqual([]);
    const adopted = await AdoptedObjects.find(to, clusters, from, plan);
    expect(adopted.problems).toEqual([]);
    expect(adopted.notice).toContain(
      "now 100 % to all pods; then all pods of user-service, as before",
    );
  });
});
