import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

type Values = Readonly<Record<string, unknown>>;

/** The configuration with values in the mesh, and in its second cluster. */
function parsed(inMesh: Values, inOne: Values = {}) {
  const raw = rawConfig();
  return parseConfig({
    ...raw,
    mesh: { ...raw.mesh, values: inMesh },
    clusters: raw.clusters.map((each, i) => (i === 1 ? { ...each, values: inOne } : each)),
  });
}

/** What is wrong with it, a line each. */
const wrong = (inMesh: Values, inOne?: Values) => parsed(inMesh, inOne).problems.map(problemLine);

/** The values that the Releases get, by name. */
async function released(inMesh: Values, inOne?: Values) {
  const program = await recordProgram();
  const { settings, problems } = parsed(inMesh, inOne);
  expect(problems).toEqual([]);
  if (!settings || !("certificates" in settings)) throw new Error("the fixture is wrong");
  installMesh(settings);
  await program.settle();
  return (name: string) => program.named(name).inputs["values"];
}

const SINGLE =
  "must be a whole number from 2 on: with one pod there is no disruption budget, and whatever drains its node takes the last one";

describe("an autoscaler of gateways", () => {
  it("is off, and then nothing of it is in the values", async () => {
    const of = await released({});
    for (const gateway of ["east-west", "ingress"]) {
      const values = of(`${gateway}-gateway-cluster-a-release`);
      expect(values).toMatchObject({ autoscaling: { enabled: false }, replicaCount: 2 });
      expect(values).not.toHaveProperty("autoscaling.minReplicas");
    }
  });

  it("keeps two pods where no other number is said, with the disruption budget", async () => {
    const of = await released(
      { eastWest: { autoscaling: { enabled: true } } },
      { ingress: { autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 9 } } },
    );
    const budget = { podDisruptionBudget: { maxUnavailable: 1 } };
    for (const cluster of ["cluster-a", "cluster-b"]) {
      expect(of(`east-west-gateway-${cluster}-release`)).toMatchObject({
        autoscaling: { enabled: true, minReplicas: 2 },
        ...budget,
      });
    }
    expect(of("ingress-gateway-cluster-a-release")).toMatchObject({
      autoscaling: { enabled: false },
    });
    expect(of("ingress-gateway-cluster-b-release")).toMatchObject({
      autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 9 },
      ...budget,
    });
  });

  it.each(["true", "false", 1])(
    "is switched by nothing that the chart takes for true: %j",
    (on) => {
      expect(wrong({}, { eastWest: { autoscaling: { enabled: on, minReplicas: 1 } } })).toEqual([
        ` - clusters[1].values.eastWest.autoscaling.enabled: must be true or false: the chart takes any text for true, then with one pod, got ${JSON.stringify(on)}. Write it without quotes.`,
      ]);
    },
  );

  it("has two pods at least, wherever the values say it", () => {
    expect(wrong({ gateway: { autoscaling: { enabled: true, minReplicas: 1 } } })).toEqual([
      ` - mesh.values.gateway.autoscaling.minReplicas: ${SINGLE}, got 1. Write minReplicas: 2 or more.`,
    ]);
    const inOne = { ingress: { autoscaling: { minReplicas: "3" } } };
    expect(wrong({ ingress: { autoscaling: { enabled: true } } }, inOne)).toEqual([
      ` - clusters[1].values.ingress.autoscaling.minReplicas: ${SINGLE}, got "3". Write minReplicas: 2 or more.`,
    ]);
    expect(wrong({ gateway: { autoscaling: { enabled: false, minReplicas: 1 } } })).toEqual([]);
  });

  it("has no more pods at least than at most, which are 5 where nothing is said", () => {
    expect(wrong({ eastWest: { autoscaling: { enabled: true, minReplicas: 6 } } })).toEqual([
      " - mesh.values.eastWest.autoscaling.minReplicas: must be a whole number from minReplicas on, which is 6: maxReplicas is 5 where nothing is said, got 5. Write maxReplicas: 6 or more beside it.",
    ]);
    const three = { enabled: true, minReplicas: 3, maxReplicas: 2 };
    expect(wrong({}, { eastWest: { autoscaling: three } })).toEqual([
      " - clusters[1].values.eastWest.autoscaling.maxReplicas: must be a whole number from minReplicas on, which is 3, got 2. Write maxReplicas: 5 or more beside it.",
    ]);
  });
});

it("a disruption budget of gateways has one of two limits", () => {
  expect(wrong({ gateway: { podDisruptionBudget: { minAvailable: 1 } } })).toEqual([
    " - mesh.values.gateway.podDisruptionBudget.minAvailable: must be left out: the gateways have maxUnavailable: 1, and a disruption budget has one of the two, got 1. Remove it, and set podDisruptionBudget.maxUnavailable where 1 is not what you want.",
  ]);
  expect(wrong({ gateway: { podDisruptionBudget: { maxUnavailable: 2 } } })).toEqual([]);
});

describe("the autoscaler of istiod", () => {
  it("has two pods at least, unless there is room for one alone", () => {
    expect(wrong({ istiod: { autoscaleMin: 1 } })).toEqual([
      ` - mesh.values.istiod.autoscaleMin: ${SINGLE}, got 1. Write autoscaleMin: 2 or more.`,
    ]);
    expect(wrong({ istiod: { autoscaleMin: 1, replicaCount: 1 } })).toEqual([]);
    expect(wrong({ istiod: { autoscaleMin: 0, autoscaleEnabled: false } })).toEqual([]);
  });

  it("is what the chart makes of both places that it has for values", () => {
    const inOne = { istiod: { pilot: { autoscaleMin: 1 } } };
    expect(wrong({ istiod: { autoscaleMin: 3 } }, inOne)).toEqual([
      ` - clusters[1].values.istiod.pilot.autoscaleMin: ${SINGLE}, got 1. Write autoscaleMin: 2 or more.`,
    ]);
    expect(
      wrong({ istiod: { pilot: { autoscaleMin: 3 } } }, { istiod: { autoscaleMin: 1 } }),
    ).toEqual([]);
    expect(wrong({ istiod: { pilot: { autoscaleMin: 6 } } })).toEqual([
      " - mesh.values.istiod.pilot.autoscaleMin: must be a whole number from autoscaleMin on, which is 6: autoscaleMax is 5 where nothing is said, got 5. Write autoscaleMax: 6 or more beside it.",
    ]);
  });
});
