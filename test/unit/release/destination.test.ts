import { describe, expect, it } from "vitest";
import { podsOf } from "../../../lib/pods.ts";
import { problemLine } from "../../../lib/problems.ts";
import type { Split } from "../../../lib/weights.ts";
import { findDestination, type Situation } from "../../../release/destination.ts";
import type { Release, State } from "../../../release/states.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { deployedCluster, split as v } from "../../helpers/deployed.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const raw = rawConfig();

/** The release's keys of a configuration with these versions. */
function release({ stable, canary, weight }: Split, more: object = {}): Release {
  const image = (version: string) => ({ version, image: `image:${version}` });
  const [service] = raw.services;
  return {
    services: JSON.stringify([
      {
        ...service,
        stable: image(stable),
        canary: canary && image(canary),
        ...more,
      },
    ]),
    phases: "[10,30,100]",
    weight: String(weight),
  };
}

function read(of: Release) {
  const values = Object.entries(of).map(([key, value]) => [key, JSON.parse(value) as unknown]);
  const { settings, problems } = parseConfig({
    ...raw,
    ...(Object.fromEntries(values) as Record<string, unknown>),
  });
  return settings ? { settings } : { problems: problems.map(problemLine) };
}

function state(number: number, of: Release, more: Partial<State> = {}): State {
  return {
    number,
    time: new Date(0),
    who: "",
    result: "succeeded",
    message: "",
    weight: Number(of.weight),
    services: [],
    inForce: false,
    release: of,
    ...more,
  };
}

/** A stack with these states, oldest first and in force with the last one, which is deployed. */
function situation(live: Split, ...releases: Release[]): Situation {
  const states = releases.map((each, i) =>
    state(i + 1, each, { inForce: i === releases.length - 1 }),
  );
  const current = releases.at(-1) ?? release(live);
  const found = read(current);
  if (!("settings" in found)) throw new Error(found.problems.join("\n"));
  return {
    current: { release: current, settings: found.settings },
    states: states.toReversed(),
    deployed: ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, live)),
    read,
  };
}

const [zero, ten, thirty] = [0, 10, 30].map((weight) => release(v("v1", "v2", weight))) as [
  Release,
  Release,
  Release,
];
const weights = ({ plan }: ReturnType<typeof findDestination>) =>
  plan.steps?.map(({ config }) => config.settings.weight);

describe("the previous state", () => {
  it("is the one before", () => {
    const found = findDestination("previous", situation(v("v1", "v2", 30), zero, ten, thirty));
    expect([found.name, weights(found)]).toEqual(["state 2", [10]]);
    expect(found.to).toBe("2");
  });

  it("is none with the same routing, and none that would raise a share", () => {
    const done = situation(v("v1", "v2", 10), zero, ten, thirty, ten);
    const found = findDestination("previous", done);
    expect([found.name, weights(found)]).toEqual(["state 1", [0]]);
  });

  it("is none that has failed", () => {
    const known = situation(v("v1", "v2", 30), zero, ten, thirty);
    const states = known.states.map((each) =>
      each.number === 2 ? { ...each, result: "failed" } : each,
    );
    expect(findDestination("previous", { ...known, states }).name).toBe("state 1");
  });

  it("is before the one in force, whatever is configured and not applied", () => {
    const known = situation(v("v1", "v2", 10), zero, ten);
    const found = read(thirty);
    if (!("settings" in found)) throw new Error(found.problems.join("\n"));
    const current = { release: thirty, settings: found.settings };
    expect(findDestination("previous", { ...known, current }).name).toBe("state 1");
  });

  it("has to be there", () => {
    expect(() => findDestination("previous", situation(v("v1", "v2", 0), zero))).toThrow(
      "There is no earlier state with different routing",
    );
  });

  it("says what to allow where a version was made of something else, and is reached once it is allowed", () => {
    const promoted = situation(v("v2"), release(v("v1", "v2", 100)), release(v("v2")));
    const deployed = promoted.deployed.map((cluster) => ({
      ...cluster,
      routes: new Map(
        [...cluster.routes].map(([key, route]) => {
          const pods = { v2: podsOf({ name: "user-service" }, { image: "image:v2-hotfix" }) };
          return [key, { ...route, pods }] as const;
        }),
      ),
    }));
    expect(() => findDestination("previous", { ...promoted, deployed })).toThrow(
      /No way leads to state 1:\n - services\[0\]\.canary\.image: must stay image:v2-hotfix .* replace-stable/,
    );
    const allowing = (of: Release) => {
      const found = read(of);
      return "settings" in found
        ? { settings: { ...found.settings, allow: ["replace-stable" as const] } }
        : found;
    };
    const found = findDestination("previous", { ...promoted, deployed, read: allowing });
    expect([found.name, weights(found)]).toEqual(["state 1", [100]]);
  });

  it("may differ by its matches alone", () => {
    const matched = release(v("v1", "v2", 0), { matches: [{ header: { tester: "1" } }] });
    expect(findDestination("previous", situation(v("v1", "v2", 0), matched, zero)).name).toBe(
      "state 1",
    );
  });
});

describe("weight 0", () => {
  it("needs no history, and keeps the versions there are", () => {
    const known = situation(v("v1", "v2", 30), thirty);
    const found = findDestination("zero", { ...known, states: [] });
    expect(weights(found)).toEqual([0]);
    expect([found.name, found.to]).toEqual(["weight 0", "zero"]);
    expect(found.config.release.services).toBe(thirty.services);
  });
});

describe("a state by its number", () => {
  const promoted = situation(v("v2"), zero, ten, thirty, release(v("v2")));

  it("before a promotion is reached by two updates", () => {
    expect(weights(findDestination("2", promoted))).toEqual([100, 10]);
  });

  it("has to be one that has succeeded", () => {
    expect(() => findDestination("7", promoted)).toThrow(
      "--to must be previous, zero, or the number of a state that has succeeded: 4, 3, 2, 1; got 7.",
    );
    const [newest, ...states] = promoted.states;
    const failed = newest ? [{ ...newest, result: "failed" }, ...states] : [];
    expect(() => findDestination("4", { ...promoted, states: failed })).toThrow(
      "3, 2, 1; state 4 has failed.",
    );
  });

  it("has to be right for the program as it is", () => {
    const old = release(v("v1"), { sidecar: true });
    expect(() => findDestination("1", situation(v("v1"), old, release(v("v1"))))).toThrow(
      /^The configuration of state 1 is no longer valid for this program:\n - services\[0\]/,
    );
  });

  it("is refused where a share would rise", () => {
    const { plan } = findDestination("3", situation(v("v1", "v2", 10), zero, ten, thirty, ten));
    expect(plan.steps).toBeUndefined();
    expect(plan.problems.join("\n")).toContain("v2 would rise to 30 %, it has 10 %");
  });

  it("is refused where a service would be removed", () => {
    const other = { ...raw.services[0], name: "order-service", ingressHosts: [] };
    const services = [...(JSON.parse(ten.services ?? "") as object[]), other].map((each) => ({
      ingressHosts: ["user-service.example.com"],
      ...each,
    }));
    const two = { ...ten, services: JSON.stringify(services) };
    const { plan } = findDestination("1", situation(v("v1", "v2", 10), zero, two));
    expect(plan.steps).toBeUndefined();
    expect(plan.problems.join("\n")).toContain(
      "it has no user/order-service, which would be removed",
    );
  });
});
