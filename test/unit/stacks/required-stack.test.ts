import { describe, expect, it } from "vitest";
import { requiredProblems } from "../../../stacks/required-stack.ts";
import { releasedVersions } from "../../../stacks/released-versions.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { deployedCluster, split } from "../../helpers/deployed.ts";
import { settings, type ConfigOptions } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

const IMAGE = "registry.example.com/user-service";

/** What a stack says of its versions. */
const versions = (stable: string, canary?: string, weight = 0, image = IMAGE) => ({
  versions: {
    "user/user-service": {
      stable: { version: stable, image: `${image}:${stable}` },
      ...(canary !== undefined && {
        canary: { version: canary, image: `${image}:${canary}`, weight },
      }),
    },
  },
});

/** What an update from one weight to another refuses; staging has said so much. */
async function problems(
  staging: Readonly<Record<string, unknown>> | undefined,
  {
    from = [0, 0],
    to = 10,
    stack = "staging",
    promoted = false,
    options = {},
  }: {
    from?: readonly number[];
    to?: number;
    stack?: string;
    promoted?: boolean;
    options?: ConfigOptions;
  } = {},
) {
  await recordProgram(staging ? { staging } : {});
  const wanted = { ...settings({ ...options, weight: to }), requires: { stack, promoted } };
  const deployed = from.map((weight, i) =>
    deployedCluster(`cluster-${"ab"[i] ?? ""}`, split("v1", "v2", weight)),
  );
  return requiredProblems(wanted, planRelease(wanted, deployed));
}
const rules = async (...args: Parameters<typeof problems>) =>
  (await problems(...args)).map(({ rule }) => rule);

const BEFORE = `must not rise above 0 before v2 (${IMAGE}:v2) of user/user-service has served 100 % in every cluster, or is the stable version, in stack staging:`;

describe("a canary that another stack must have released", () => {
  it.each([
    ["as the canary at 100 %", versions("v1", "v2", 100)],
    ["as the stable version", versions("v2", "v3", 10)],
  ])("may begin once that has it %s", async (_, staging) => {
    expect(await problems(staging)).toEqual([]);
  });

  it.each([
    [
      versions("v1", "v2", 30),
      `it has v1 (${IMAGE}:v1) as stable, and v2 (${IMAGE}:v2) as the canary, with at least 30 % in every cluster`,
    ],
    [versions("v1"), `it has v1 (${IMAGE}:v1) as stable`],
    [versions("v2", undefined, 0, "mirror/a"), "it has v2 (mirror/a:v2) as stable"],
    [{ versions: {} }, "it does not have the service"],
    [
      { weight: 100 },
      "its last update has not said which versions it has: run this version of the program there, pulumi up --stack staging",
    ],
  ])("may not begin otherwise, with %j", async (staging, found) => {
    expect(await problems(staging)).toEqual([
      {
        path: "weight",
        value: 10,
        rule: `${BEFORE} ${found}`,
        fix: "Release it there first: npm run release -- rollout --stack staging. A lower weight is always allowed. Without the key requires no other stack is asked.",
      },
    ]);
  });

  it("may not begin where that stack cannot be read", async () => {
    // Pulumi's mocks do not pass the reason on.
    expect(await rules(undefined)).toEqual([`${BEFORE} it cannot be read: `]);
  });

  it("must be the stable version there if that is wanted", async () => {
    expect(await rules(versions("v1", "v2", 100), { promoted: true })).toEqual([
      `must not rise above 0 before v2 (${IMAGE}:v2) of user/user-service is the stable version in stack staging: it has v1 (${IMAGE}:v1) as stable, and v2 (${IMAGE}:v2) as the canary, with at least 100 % in every cluster`,
    ]);
    expect(await rules(versions("v2"), { promoted: true })).toEqual([]);
  });

  it("is not asked for where the weight falls, stays, or rises from one that it has", async () => {
    for (const [from, to] of [
      [[30, 30], 0],
      [[30, 30], 10],
      [[0, 0], 0],
      [[10, 10], 30],
      [[0, 10], 10],
    ] as const) {
      expect(await rules(undefined, { from, to })).toEqual([]);
    }
  });

  it("is one of all services of a chain, whose entries begin for it", async () => {
    const found = await rules(versions("v1", "v2", 100), { options: { services: 2, chain: true } });
    expect(found).toEqual([
      "must not rise above 0 before v2 (registry.example.com/order-service:v2) of user/order-service has served 100 % in every cluster, or is the stable version, in stack staging: it does not have the service",
    ]);
  });

  it("cannot be one of this very stack", async () => {
    for (const stack of ["test", "organization/istio-canary/test"]) {
      expect(await rules(undefined, { stack })).toEqual([
        expect.stringMatching(/: that is this stack, and it must be another one$/),
      ]);
    }
  });
});

describe("the versions of a stack", () => {
  it("are told with their images, and with the weight that every cluster has", () => {
    const told = (options: ConfigOptions, weight: number) =>
      releasedVersions(settings(options), weight)["user/user-service"];
    expect(told({}, 100)).toEqual({
      stable: { version: "v1", image: `${IMAGE}:v1` },
      canary: { version: "v2", image: `${IMAGE}:v2`, weight: 100 },
    });
    expect(told({ quarantine: ["cluster-b"] }, 100)?.canary?.weight).toBe(0);
    expect(told({ away: ["cluster-b"] }, 100)?.canary?.weight).toBe(0);
  });
});
