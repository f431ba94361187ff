import { describe, expect, it } from "vitest";
import { phase, type Progress } from "../../../../release/planner.ts";
import { releaseName } from "../../../../release/release-settings.ts";
import { aheadText } from "../../../../release/status/ahead.ts";
import type { ClusterStatus } from "../../../../release/status/cluster-status.ts";
import { settings as fixture } from "../../../helpers/fixtures.ts";

const KEY = "user/user-service";

/** How a cluster stands whose canary has a weight. */
const cluster = (weight: number, more: Partial<ClusterStatus> = {}): ClusterStatus => ({
  ...{ cluster: "cluster-a", config: 0, quarantined: false, weights: { [KEY]: weight } },
  ...{ envoys: 1, serving: 1, drift: [], ...more },
});

/** Which is ahead where the config and the clusters have these weights. */
async function ahead(
  config: number,
  clusters: readonly ClusterStatus[],
  progress?: Partial<Progress>,
  updated?: readonly number[],
) {
  const settings = fixture({ weight: config });
  const release = releaseName(settings);
  const lastKnown = () =>
    updated
      ? Promise.resolve(
          Object.fromEntries(
            updated.map((weight, i) => [
              `cluster-${"ab"[i] ?? ""}`,
              { traffic: { [KEY]: { v1: 100 - weight, v2: weight } } },
            ]),
          ),
        )
      : Promise.reject(new Error("the backend is away"));
  return aheadText({
    ...{ settings, release, clusters, lastKnown, stack: "prod" },
    progress: progress && { ...phase(release, 30, 0), ...progress },
  });
}

describe("which of config and clusters is ahead", () => {
  it("is neither where they have the same, or nobody knows", async () => {
    expect(await ahead(30, [cluster(30), cluster(30)])).toBeUndefined();
    expect(await ahead(30, [cluster(30), cluster(0, { quarantined: true })])).toBeUndefined();
    expect(await ahead(30, [cluster(0, { unreachable: "no route" })])).toBeUndefined();
  });

  it("is the clusters while a rollout holds a weight, has ended with one, or has taken the canary back", async () => {
    const merge = "Merge the weight that is proposed, or write weight: 30 into the config.";
    expect(await ahead(0, [cluster(30), cluster(30)], {})).toBe(
      `the clusters are ahead of the config: 30 % instead of 0 %: a rollout holds it. ${merge}`,
    );
    const done = { end: { result: "done", reason: "100 % has passed" } } as const;
    expect(await ahead(0, [cluster(30)], done)).toBe(
      `the clusters are ahead of the config: 30 % instead of 0 %: a rollout has ended with it. ${merge}`,
    );
    const back = { end: { result: "rolled-back", reason: "bad" } } as const;
    expect(await ahead(30, [cluster(0)], back)).toBe(
      "the clusters are ahead of the config: 0 % instead of 30 %: a rollout took the canary back. Write weight: 0 into the config.",
    );
  });

  it("is the config where it was not carried out yet", async () => {
    expect(await ahead(10, [cluster(0), cluster(0)], undefined, [0, 0])).toBe(
      "the config is ahead of the clusters: it has 10 %, and the last update gave them 0 %. To carry it out: pulumi up --stack prod",
    );
  });

  it("is neither where somebody has changed the clusters since the last update, or they differ", async () => {
    const would =
      "What pulumi up --stack prod would do: docs/operations.md#after-a-canary-was-taken-back.";
    expect(await ahead(10, [cluster(50)], undefined, [10, 10])).toBe(
      `somebody has changed the weight in the clusters: they have 50 %, the config has 10 %, and the last update gave them 10 %. ${would}`,
    );
    expect(await ahead(10, [cluster(50)])).toBe(
      `somebody has changed the weight in the clusters: they have 50 %, the config has 10 %. ${would}`,
    );
    expect(await ahead(10, [cluster(10), cluster(30)], {})).toBe(
      "neither the config nor the clusters are ahead: the config has 10 %, and the clusters differ, 10 % and 30 %. If no update or rollout is running, pulumi up --stack prod makes them the same.",
    );
  });
});
