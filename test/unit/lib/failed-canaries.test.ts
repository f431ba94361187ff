import { describe, expect, it } from "vitest";
import type { GuardNote, Notes } from "../../../lib/journal.ts";
import { canariesIn } from "../../../lib/release-name.ts";
import { decideWeight, takenBack } from "../../../lib/taken-back.ts";
import { failedCanaries } from "../../../lib/verdict.ts";
import { deployedCluster, KEY, split, wantedRelease } from "../../helpers/deployed.ts";

const CANARY = `${KEY} v2 (image:v2)`;
const CART = "shop/cart v7 (image:v7)";
const NEW_CART = "shop/cart v8 (image:v8)";
const BOTH = `${CANARY}, ${CART}`;

const failed = { reason: "slow", weight: 10, since: 5, at: 7 };
const note = (services?: readonly string[], release = BOTH): GuardNote => ({
  ...{ format: 1, at: 9, cluster: "cluster-b", startedAt: 1, release, weight: 0, since: 8 },
  ...{ failures: { consecutive: 1, total: 1 }, failed: { ...failed, services }, contactAt: 9 },
  ...{ does: "lower", says: "slow" },
});
const rollout = (failedServices?: readonly string[]) => ({
  ...{ release: BOTH, weight: 0, since: 4, begun: true, failures: { consecutive: 0, total: 0 } },
  ...{ failedServices, end: { result: "rolled-back" as const, reason: "95 %" } },
});

describe("the canaries that were taken back", () => {
  const names = (...of: Parameters<typeof failedCanaries>) => [...failedCanaries(...of)];

  it("are those whose gates have failed, by the guards' word", () => {
    expect(names([note([KEY])], undefined, [], true)).toEqual([
      [CANARY, "the guard of cluster-b says: slow"],
    ]);
  });

  it("are all of the release where the verdict is not about one service", () => {
    expect(names([note()], undefined, [], true).map(([name]) => name)).toEqual(canariesIn(BOTH));
    expect(names([], rollout(), [], true).map(([name]) => name)).toEqual(canariesIn(BOTH));
  });

  it("are those that a rollout has found bad, and no others", () => {
    expect(names([], rollout(["shop/cart"]), [], true)).toEqual([
      [CART, "a rollout has rolled it back: 95 %"],
    ]);
    expect(names([note([KEY])], rollout([]), [], true).map(([name]) => name)).toEqual([CANARY]);
  });

  it("are none once it is forgiven, or somebody has begun anew", () => {
    expect(names([note()], undefined, ["cluster-b 7"], true)).toEqual([]);
    expect(names([], rollout(), [], false)).toEqual([]);
  });

  it("do not mistake a service for another whose name begins alike", () => {
    const release = `${KEY}-two v2 (image:v2), ${CANARY}`;
    expect(names([note([KEY], release)], undefined, [], true).map(([name]) => name)).toEqual([
      CANARY,
    ]);
  });
});

describe("another service's canary", () => {
  const clusters = ["cluster-a", "cluster-b"];
  const deployed = clusters.map((name) => deployedCluster(name, split("v1", "v2", 0)));
  const notes = (values: object): Notes =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
  const ask = (release: string, noted: object, allow: readonly "retry-canary"[] = []) => {
    const journals = new Map(clusters.map((name) => [name, [notes(noted)]]));
    const asked = { stack: "prod", release };
    const wanted = wantedRelease(split("v1", "v2", 10), allow);
    return {
      decision: decideWeight(deployed, wanted, journals, asked),
      failed: takenBack(deployed, wanted, journals, asked),
    };
  };
  const guardNote = (services?: readonly string[]) => ({ "guard-cluster-b": note(services) });
  const carried = {
    "failed-prod": {
      format: 1,
      at: 3,
      canaries: { [CANARY]: "the guard of cluster-b says: slow" },
    },
  };

  it("does not bring a canary back when it changes, which the update notes", () => {
    const { decision, failed: noted } = ask(`${CANARY}, ${NEW_CART}`, guardNote([KEY]));
    expect(decision).toMatchObject({
      do: "refuse",
      problem: {
        rule: `must not rise: this canary was taken back: ${CANARY} was taken back before: the guard of cluster-b says: slow`,
      },
    });
    expect(noted).toEqual({ [CANARY]: "the guard of cluster-b says: slow" });
  });

  it("does not do so later either, when no guard says it any more", () => {
    const { decision, failed: noted } = ask(`${CANARY}, ${NEW_CART}`, carried);
    expect(decision.do).toBe("refuse");
    expect(noted).toEqual(carried["failed-prod"].canaries);
  });

  it("does not bring back one that was left out of the config for a while", () => {
    const journals = new Map(clusters.map((name) => [name, [notes(carried)]]));
    const resting = wantedRelease(split("v1"));
    const noted = takenBack(deployed, resting, journals, { stack: "prod", release: CART });
    expect(noted).toEqual(carried["failed-prod"].canaries);
    expect(decideWeight(deployed, resting, journals, { stack: "prod", release: CART }).do).toBe(
      "carry out",
    );
    expect(ask(BOTH, { "failed-prod": { format: 1, at: 4, canaries: noted } }).decision.do).toBe(
      "refuse",
    );
    const promoted = wantedRelease(split("v2"));
    expect(takenBack(deployed, promoted, journals, { stack: "prod", release: CART })).toEqual({});
  });

  it("may rise where it has not failed, beside a new one of the service that has", () => {
    const { decision, failed: noted } = ask(`${CANARY}, ${NEW_CART}`, guardNote(["shop/cart"]));
    expect(decision).toEqual({ do: "carry out" });
    expect(noted).toEqual({});
  });

  it("may rise again with the one that has failed if that is allowed", () => {
    expect(ask(`${CANARY}, ${NEW_CART}`, carried, ["retry-canary"]).decision).toEqual({
      do: "carry out",
      forgives: [],
    });
  });

  it("may rise again though a guard that is gone has said it of another release, and stays forgiven", () => {
    const next = `${CANARY}, ${NEW_CART}`;
    const { decision } = ask(next, guardNote([KEY]), ["retry-canary"]);
    expect(decision).toEqual({ do: "carry out", forgives: ["cluster-b 7"] });
    const forgiven = { retry: { format: 1, at: 10, forgives: ["cluster-b 7"] } };
    expect(ask(next, { ...guardNote([KEY]), ...forgiven })).toEqual({
      decision: { do: "carry out" },
      failed: {},
    });
    // What it has said of the one that has changed is no part of it.
    expect(
      ask(next, { ...guardNote(["shop/cart"]), ...carried }, ["retry-canary"]).decision,
    ).toEqual({
      do: "carry out",
      forgives: [],
    });
  });
});
