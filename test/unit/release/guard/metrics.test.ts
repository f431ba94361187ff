import { beforeEach, describe, expect, it } from "vitest";
import type { Sight } from "../../../../release/guard/decide.ts";
import type { GuardLook } from "../../../../release/guard/guard.ts";
import { GuardMetrics } from "../../../../release/guard/metrics.ts";
import type { GuardNote } from "../../../../release/journal.ts";
import type { Verdict } from "../../../../release/planner.ts";
import { guardFileText, parseGuardFile, type GuardFile } from "../../../../stacks/guard-file.ts";
import { settings } from "../../../helpers/fixtures.ts";

const T0 = Date.UTC(2026, 0, 1);
const file: GuardFile = parseGuardFile(
  guardFileText(settings({ clusters: 3 }), {
    stack: "prod",
    cluster: "cluster-a",
    configMap: { namespace: "guard", name: "release-guard" },
    prometheus: "http://prometheus:9090",
    partitionLimit: "10m",
  }),
);

const noteOf = (cluster: string, at: number): GuardNote => ({
  ...{ format: 1, at, cluster, startedAt: T0, release: file.release, weight: 10, since: T0 },
  ...{ failures: { consecutive: 0, total: 0 }, contactAt: at, does: "watch", says: "" },
});
const sight = (more: Partial<Sight> = {}): Sight => ({
  ...{ answers: true, weight: 10, guards: [], ...more },
});

let metrics: GuardMetrics;
const look = (sights: Readonly<Record<string, Sight>>, more: Partial<GuardLook> = {}) => {
  metrics.looked(file, {
    ...{ at: T0 + 90_000, startedAt: T0, failures: 0, does: "watch" },
    sights: new Map(Object.entries(sights)),
    ...more,
  });
};
/** The lines of a metric, without what all of them begin with. */
async function lines(name: string): Promise<string[]> {
  const all = (await metrics.text()).split("\n");
  return all
    .filter((line) => new RegExp(`^istio_canary_guard_${name}[{ ]`).test(line))
    .map((line) => line.replace(`istio_canary_guard_${name}`, ""));
}
const cluster = (name: string) => `{destination_cluster="${name}"}`;

beforeEach(() => {
  metrics = new GuardMetrics();
});

describe("the metrics of a guard", () => {
  it("say when the guard of each cluster has looked last, as the newest of its notes has it", async () => {
    const guards = [noteOf("cluster-b", T0 + 30_000), noteOf("cluster-a", T0 + 30_000)];
    look({
      "cluster-a": sight({ guards }),
      "cluster-b": sight({ guards: [noteOf("cluster-b", T0 + 60_000)] }),
    });
    const about =
      'destination_service_namespace="user",destination_service_name="user-service",destination_version="v2"';
    const seconds = T0 / 1_000;
    // Nobody has heard of the third one since this guard runs.
    expect(await lines("last_look_timestamp_seconds")).toEqual([
      `{guard="cluster-a",${about}} ${seconds + 90}`,
      `{guard="cluster-b",${about}} ${seconds + 60}`,
      `{guard="cluster-c",${about}} ${seconds}`,
    ]);
  });

  it("say nothing of what an update has taken out", async () => {
    look({ "cluster-a": sight(), "cluster-b": sight() });
    metrics.looked(
      { ...file, clusters: ["cluster-a"], services: [] },
      {
        ...{ at: T0, startedAt: T0, failures: 0, does: "watch" },
        sights: new Map([["cluster-a", sight({ guards: [noteOf("cluster-b", T0)] })]]),
      },
    );
    expect(await lines("last_look_timestamp_seconds")).toEqual([]);
    expect(await lines("weight")).toEqual([`${cluster("cluster-a")} 10`]);
    expect(await lines("cluster_answers")).toEqual([`${cluster("cluster-a")} 1`]);
  });

  it("say what each API server has answered last, and whether it still answers", async () => {
    look({ "cluster-a": sight(), "cluster-b": sight({ answers: false, weight: 30 }) });
    expect(await lines("weight")).toEqual([
      `${cluster("cluster-a")} 10`,
      `${cluster("cluster-b")} 30`,
    ]);
    expect(await lines("cluster_answers")).toEqual([
      `${cluster("cluster-a")} 1`,
      `${cluster("cluster-b")} 0`,
      `${cluster("cluster-c")} 0`,
    ]);
  });

  it("say that it is cut off once no other cluster answers", async () => {
    look({ "cluster-a": sight(), "cluster-c": sight() });
    expect(await lines("cut_off")).toEqual([" 0"]);
    look({ "cluster-a": sight(), "cluster-c": sight({ answers: false }) });
    expect(await lines("cut_off")).toEqual([" 1"]);
  });

  it("count looks at the gates by the worst that decides", async () => {
    const say = (outcome: Verdict["outcome"], dryRun = false): Verdict => ({
      ...{ outcome, dryRun, blind: false, text: "" },
    });
    metrics.judged([say("pass"), say("idle")]);
    metrics.judged([say("pass"), say("fail", true)]);
    metrics.judged([say("pass"), say("hold")]);
    metrics.judged([say("hold"), say("fail")]);
    expect(await lines("gate_looks_total")).toEqual([
      '{outcome="pass"} 2',
      '{outcome="hold"} 1',
      '{outcome="fail"} 1',
    ]);
  });

  it("say what it does, and count from 0 what it has lowered", async () => {
    look({ "cluster-a": sight() }, { failures: 2, does: "lower" });
    expect(await lines("failed_looks")).toEqual([" 2"]);
    expect(await lines("state")).toEqual([
      '{state="watch"} 0',
      '{state="hold"} 0',
      '{state="lower"} 1',
    ]);
    metrics.lowered("cluster-b");
    look({ "cluster-a": sight() });
    expect(await lines("lowered_total")).toEqual([
      `${cluster("cluster-a")} 0`,
      `${cluster("cluster-b")} 1`,
      `${cluster("cluster-c")} 0`,
    ]);
  });
});
