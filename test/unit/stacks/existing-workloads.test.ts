import { ApiException } from "@kubernetes/client-node";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { findWorkload } from "../../../fleet/find-workload.ts";
import { claimsOf } from "../../../fleet/routing/istio/read-routing.ts";
import type { DeployedCluster, DeployedRoute } from "../../../lib/deployed.ts";
import type { FoundWorkload } from "../../../lib/existing.ts";
import { problemLine } from "../../../lib/problems.ts";
import { existingFindings } from "../../../stacks/existing-workloads.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { existingSettings, foundPod, foundWorkload } from "../../helpers/existing.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/find-workload.ts"), () => ({
  findWorkload: vi.fn<typeof findWorkload>(),
}));
vi.mock(import("../../../fleet/routing/istio/read-routing.ts"), async (original) => ({
  ...(await original()),
  claimsOf: vi.fn<typeof claimsOf>(),
}));

const NAMES = ["cluster-a", "cluster-b"];
const clients = NAMES.map((name) => ({ name }) as ClusterClient);

/** What both clusters have; where there is nothing, the service is not released yet. */
function deployed(route?: Partial<DeployedRoute>): readonly DeployedCluster[] {
  const whole: DeployedRoute = {
    ...{ stable: "v1", canary: "v2", weight: 0, generation: 4, replaces: undefined },
    ...{ existing: true, rules: [], images: {} },
    ...route,
  };
  return NAMES.map((name) => ({
    name,
    unreachable: undefined,
    routes: new Map(route ? [["user/user-service", whole]] : []),
  }));
}
const unnamed = { canary: undefined, unnamed: true } as const;

/** What is said of an update. */
async function said(
  to: ReturnType<typeof settings>,
  from: readonly DeployedCluster[],
): Promise<{ problems: string[]; warnings: string[] }> {
  const found = await existingFindings(to, clients, from, planRelease(to, from));
  return {
    problems: found.problems.map(problemLine),
    warnings: found.warnings.map(problemLine),
  };
}
/** Lets one cluster have something else. */
function secondHas(found: Partial<FoundWorkload>): void {
  vi.mocked(findWorkload).mockImplementation(({ name }) =>
    Promise.resolve(name === "cluster-b" ? foundWorkload(found) : foundWorkload()),
  );
}
const nothing = { problems: [], warnings: [] };

beforeEach(() => {
  vi.mocked(findWorkload).mockReset().mockResolvedValue(foundWorkload());
  vi.mocked(claimsOf).mockReset().mockResolvedValue([]);
});

describe("an update with a service that others have made", () => {
  it("goes on where both versions are everywhere", async () => {
    for (const from of [deployed(), deployed(unnamed), deployed({})]) {
      expect(await said(existingSettings(), from)).toEqual(nothing);
    }
    expect(await said(existingSettings({}, 10), deployed({}))).toEqual(nothing);
  });

  it("asks no cluster about the services that the program makes", async () => {
    expect(await said(settings({ weight: 0 }), deployed())).toEqual(nothing);
    expect(findWorkload).not.toHaveBeenCalled();
    expect(claimsOf).not.toHaveBeenCalled();
  });

  it("is refused where the service runs in some of the clusters only, in one sentence", async () => {
    const sentence =
      " - services[0]: must run in every cluster, since each cluster's canary is judged by its own requests, and each cluster has a host of its own for it, but user/user-service has pods in cluster-a and none in cluster-b. " +
      "Deploy it in the others too, with as few pods as they need, or leave the service out of this config: without this program's routes, requests of all clusters go to its pods, wherever these are.";
    for (const there of [
      {},
      { service: undefined },
      { namespace: undefined, service: undefined },
    ]) {
      secondHas({ ...there, pods: [] });
      expect(await said(existingSettings(), deployed())).toEqual({
        ...nothing,
        problems: [sentence],
      });
    }
    // While routes name no version, the other cluster's pods serve its clients.
    secondHas({ pods: [] });
    const without = existingSettings({ canary: undefined });
    expect(await said(without, deployed())).toEqual({ ...nothing, warnings: [sentence] });
    // One that others have left behind does not keep a weight from falling.
    expect(await said(existingSettings(), deployed({ weight: 10 }))).toEqual({
      ...nothing,
      warnings: [sentence],
    });
  });

  it("is refused with what is missing where, all at once", async () => {
    vi.mocked(findWorkload).mockImplementation(({ name }) =>
      Promise.resolve(
        name === "cluster-b"
          ? foundWorkload({ namespace: undefined, service: undefined, pods: [] })
          : foundWorkload({ service: undefined, pods: [] }),
      ),
    );
    expect((await said(existingSettings(), deployed())).problems).toEqual([
      ' - services[0].name: must be a Service of every cluster, but cluster-a has no Service user/user-service, got "user-service". Its owner makes it, in every cluster.',
      ' - services[0].namespace: must be there, but cluster-b has no such namespace, got "user". Its owner makes it: the program makes none for an existing service.',
    ]);
  });

  it("is refused before the weight rises to a version that one cluster lacks", async () => {
    secondHas({ pods: [foundPod("v1")] });
    const to = existingSettings({}, 10);
    expect(await said(to, deployed({}))).toEqual({
      problems: [
        ' - services[0].canary.version: must be ready in every cluster before routes send it requests: of Service user/user-service in cluster-b no pod has version=v2; it selects 1 with version=v1, got "v2". Have the owner deploy it there, with the label version: v2.',
      ],
      warnings: [],
    });
    secondHas({ pods: [foundPod("v2")] });
    expect((await said(to, deployed({}))).problems).toEqual([
      expect.stringContaining("services[0].stable.version: must be ready in every cluster"),
    ]);
  });

  it("is only warned of a canary that is not there yet, while it gets nothing", async () => {
    secondHas({ pods: [foundPod("v1")] });
    for (const from of [deployed(), deployed(unnamed), deployed({})]) {
      const { problems, warnings } = await said(existingSettings(), from);
      expect(problems).toEqual([]);
      expect(warnings).toEqual([expect.stringContaining("in cluster-b no pod has version=v2")]);
    }
  });

  it.each([
    ["the first routes", deployed()],
    ["routes that have named no version", deployed(unnamed)],
    ["routes that have named another one", deployed({ stable: "v0", canary: "v1", weight: 100 })],
    ["routes that name it already", deployed({})],
  ])("names no stable version that one cluster lacks: %s", async (_, from) => {
    secondHas({ pods: [foundPod("v2")] });
    expect((await said(existingSettings(), from)).problems).toEqual([
      expect.stringContaining("services[0].stable.version: must be ready in every cluster"),
    ]);
  });

  it("is only warned of a stable version that is gone, where the canary has everything", async () => {
    secondHas({ pods: [foundPod("v2")] });
    expect(await said(existingSettings({}, 100), deployed({ weight: 100 }))).toEqual({
      problems: [],
      warnings: [expect.stringContaining("services[0].stable.version: must be ready")],
    });
    // What takes everything back must be there until then.
    expect((await said(existingSettings({}, 100), deployed({ weight: 30 }))).problems).toEqual([
      expect.stringContaining("services[0].stable.version: must be ready"),
    ]);
  });

  it("is refused where a version that has requests would lose all its pods, as by another label", async () => {
    for (const [weight, role] of [
      [0, "stable"],
      [10, "canary"],
    ] as const) {
      const left = role === "stable" ? "v2" : "v1";
      secondHas({ pods: [foundPod(left)] });
      expect((await said(existingSettings({}, weight), deployed({ weight }))).problems).toEqual([
        expect.stringContaining(`services[0].${role}.version: must be ready in every cluster`),
      ]);
    }
  });

  it("lets the owner change the version while there is no canary", async () => {
    vi.mocked(findWorkload).mockResolvedValue(foundWorkload({ pods: [foundPod("v7")] }));
    const to = existingSettings({ canary: undefined });
    for (const from of [deployed(), deployed({ ...unnamed, stable: "v0" })]) {
      expect(await said(to, from)).toEqual(nothing);
      expect(planRelease(to, from).problems).toEqual([]);
    }
  });

  it("keeps the canary while pods of other versions would get requests without it", async () => {
    const to = existingSettings({ canary: undefined });
    expect((await said(to, deployed({}))).problems).toEqual([
      " - services[0].canary: must stay while Service user/user-service in cluster-a selects pods of other versions than v1: without a canary routes name no version, and v2 would get requests (user-service-v2). Have the owner remove these pods first.",
      expect.stringContaining("in cluster-b selects pods of other versions than v1"),
    ]);
    vi.mocked(findWorkload).mockResolvedValue(foundWorkload({ pods: [foundPod("v1")] }));
    expect(await said(to, deployed({}))).toEqual(nothing);
  });

  it("is refused where others route the service already, and adopts nothing", async () => {
    vi.mocked(claimsOf).mockImplementation(({ name }) =>
      Promise.resolve(name === "cluster-b" ? ["VirtualService user/flagger"] : []),
    );
    expect((await said(existingSettings(), deployed())).problems).toEqual([
      expect.stringContaining(
        "services[0]: must be routed by this program alone, but in cluster-b VirtualService user/flagger routes user/user-service or one of its hosts too.",
      ),
    ]);
    expect(claimsOf).toHaveBeenCalledWith(
      clients[1],
      expect.objectContaining({
        hosts: [
          "user-service.user.svc.cluster.local",
          "user-service.user.cluster-a.mesh",
          "user-service.example.com",
        ],
      }),
    );
  });

  it("changes other services though a pod has no sidecar, but neither adopts nor raises", async () => {
    const bare = foundPod("v1", { hasSidecar: false });
    secondHas({ pods: [foundPod("v1"), foundPod("v2"), bare] });
    const refusal = [
      expect.stringContaining("services[0].name: must have a sidecar in every pod"),
    ] as unknown;
    for (const weight of [0, 10]) {
      expect(await said(existingSettings({}, weight), deployed({ weight }))).toEqual({
        problems: [],
        warnings: refusal,
      });
    }
    for (const from of [deployed(), deployed(unnamed), deployed({ stable: "v0", canary: "v1" })]) {
      expect((await said(existingSettings(), from)).problems).toEqual(refusal);
    }
    const raised = await said(existingSettings({}, 30), deployed({ weight: 10 }));
    expect(raised.problems).toEqual(refusal);
    // No version is named: whatever its owner deploys keeps nothing else waiting.
    secondHas({ pods: [foundPod("v7", { hasSidecar: false })] });
    const unreleased = existingSettings({ canary: undefined });
    expect(await said(unreleased, deployed(unnamed))).toEqual({ problems: [], warnings: refusal });
  });

  it("takes no service over that the program makes, nor the other way round", async () => {
    expect((await said(existingSettings(), deployed({ existing: undefined }))).problems).toEqual(
      NAMES.map((name): unknown =>
        expect.stringContaining(
          `services[0].workload: must stay made: in ${name} this program has made the pods, and would remove them`,
        ),
      ),
    );
    expect((await said(settings({ weight: 0 }), deployed({}))).problems).toEqual(
      NAMES.map((name): unknown =>
        expect.stringContaining(`services[0].workload: must stay existing: in ${name}`),
      ),
    );
  });

  it("is refused where a cluster does not let it look", async () => {
    const error = new ApiException(403, "", JSON.stringify({ message: "no services for you" }), {});
    vi.mocked(findWorkload).mockRejectedValue(error);
    expect((await said(existingSettings(), deployed({}))).problems).toEqual(
      NAMES.map((name): unknown =>
        expect.stringContaining(`services[0]: must be readable in ${name}: no services for you.`),
      ),
    );
  });

  it("is never kept from lowering a weight", async () => {
    secondHas({ service: undefined, pods: [] });
    const { problems, warnings } = await said(existingSettings(), deployed({ weight: 10 }));
    expect(problems).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("none in cluster-b")]);
  });

  it("removes no pods and adopts nothing, though a weight is lowered by the same update", async () => {
    const serving = { weight: 10, existing: undefined };
    expect((await said(existingSettings(), deployed(serving))).problems).toEqual(
      NAMES.map((name): unknown =>
        expect.stringContaining(`services[0].workload: must stay made: in ${name}`),
      ),
    );
    expect((await said(settings({ weight: 0 }), deployed({ weight: 10 }))).problems).toEqual(
      NAMES.map((name): unknown =>
        expect.stringContaining(`services[0].workload: must stay existing: in ${name}`),
      ),
    );
  });

  it("leaves a cluster out that does not answer: others say so", async () => {
    const from = deployed({}).map((each) => ({ ...each, unreachable: "no answer in time" }));
    expect(await said(existingSettings(), from)).toEqual(nothing);
    expect(findWorkload).not.toHaveBeenCalled();
  });
});
