import { describe, expect, it } from "vitest";
import { keptFor, lastTraffic } from "../../../stacks/kept-versions.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import type { Settings } from "../../../stacks/config.ts";
import { versionName } from "../../../lib/version-name.ts";
import type { Split } from "../../../lib/weights.ts";
import { deployedCluster, KEY, split as v } from "../../helpers/deployed.ts";
import { settings } from "../../helpers/fixtures.ts";

/** Two clusters and one service with these versions. */
function having(stable: string, canary?: string, weight = 0): Settings {
  const fixture = settings({ weight });
  return {
    ...fixture,
    services: fixture.services.map(({ canary: own, ...service }) => ({
      ...service,
      stable: { ...service.stable, version: stable },
      ...(own &&
        canary !== undefined && { canary: { ...own, version: canary, image: `image:${canary}` } }),
    })),
  };
}

const known = (shares: Readonly<Record<string, number>>) => ({ "cluster-b": { [KEY]: shares } });
const keptIn = ({ services }: Settings, shares: Readonly<Record<string, number>>) =>
  keptFor(services, known(shares));

describe("what stays while a cluster is away", () => {
  it("is nothing as long as it has all versions of the config, and no other", () => {
    expect(keptIn(having("v1", "v2"), { v1: 90, v2: 10 })).toBeUndefined();
    expect(keptFor(having("v1").services, { "cluster-b": {} })).toBeUndefined();
    expect(keptFor(having("v1").services, {})).toBeUndefined();
  });

  it("is the subset of each version that its clients may ask the others for", () => {
    expect(keptIn(having("v1"), { v1: 90, v2: 10 })).toEqual({
      versions: { [KEY]: ["v2"] },
      hosts: {},
    });
  });

  it("is the way of requests that name it, to the version that most of its own go to", () => {
    expect(keptIn(having("v1.1", "v3"), { v1: 90, v2: 10 })).toEqual({
      versions: { [KEY]: ["v1", "v2"] },
      hosts: { "cluster-b": { [KEY]: "v1" } },
    });
    expect(keptIn(having("v2", "v3"), { v1: 0, v2: 100 })).toEqual({
      versions: { [KEY]: ["v1"] },
      hosts: { "cluster-b": { [KEY]: "v2" } },
    });
    expect(keptIn(having("v1", "v2"), { v1: 100 })).toEqual({
      versions: {},
      hosts: { "cluster-b": { [KEY]: "v1" } },
    });
  });

  it("is read from what the last complete update has said, as far as it has", () => {
    const said = {
      "cluster-a": { traffic: { [KEY]: { v1: 100 } } },
      "cluster-b": { network: "network-b", traffic: { [KEY]: { v1: 90, v2: 10 } } },
    };
    expect(lastTraffic(["cluster-b"], said)).toEqual(known({ v1: 90, v2: 10 }));
    expect(lastTraffic(["cluster-c"], said)).toEqual({ "cluster-c": {} });
    expect(lastTraffic(["cluster-b"], undefined)).toEqual({ "cluster-b": {} });
    expect(lastTraffic(["cluster-b"], { "cluster-b": { traffic: "?" } })).toEqual({
      "cluster-b": {},
    });
  });
});

/** A part of the registered objects. */
interface Objects {
  readonly subsets: readonly string[];
  /** Destinations of the rules for each host, as `subset weight`. */
  readonly rules: Readonly<Record<string, readonly string[]>>;
}

interface Rule {
  readonly name: string;
  readonly route: readonly {
    readonly destination: { subset?: string };
    readonly weight?: number;
  }[];
}

function objectsOf(config: Settings, deployed: Readonly<Record<string, Split>>): Objects {
  const plan = planRelease(
    config,
    Object.entries(deployed).map(([name, split]) => deployedCluster(name, split)),
  );
  const objects = plan.routes.find(({ cluster }) => cluster === "cluster-a")?.objects;
  const { subsets } = objects?.versions.spec as { subsets: readonly { name: string }[] };
  return {
    subsets: subsets.map(({ name }) => name),
    rules: Object.fromEntries(
      ((objects?.rules ?? []) as readonly Rule[]).map(({ name, route }) => [
        name,
        route.map(({ destination, weight = 100 }) => `${destination.subset ?? ""} ${weight}`),
      ]),
    ),
  };
}

const HOST = "user-service.user.cluster-b.mesh";

describe("the routes of the others", () => {
  const away = (config: Settings, shares: Readonly<Record<string, number>>): Settings => ({
    ...config,
    away: ["cluster-b"],
    kept: keptIn(config, shares),
  });

  it("keep its versions' subsets, and lead its host to what it has", () => {
    const config = away(having("v1.1", "v3", 10), { v1: 90, v2: 10 });
    const { subsets, rules } = objectsOf(config, { "cluster-a": v("v1.1", "v3", 10) });
    expect(subsets).toEqual([versionName("v1.1"), "v3", "v1", "v2"]);
    expect(rules[`${HOST}-weights`]).toEqual(["v1 100"]);
    expect(rules[`${HOST}-canary`]).toBeUndefined();
    expect(rules["user-service-weights"]).toEqual([`${versionName("v1.1")} 90`, "v3 10"]);
  });

  it("are as ever while it has the versions of the config", () => {
    const config = away(having("v1", "v2", 30), { v1: 90, v2: 10 });
    const { subsets, rules } = objectsOf(config, { "cluster-a": v("v1", "v2", 30) });
    expect(subsets).toEqual(["v1", "v2"]);
    expect(rules[`${HOST}-weights`]).toEqual(["v1 70", "v2 30"]);
  });

  it("have another record than those of the same config without it", () => {
    const config = having("v2", "v3", 10);
    const [service] = config.services;
    if (!service) throw new Error("the fixture has no service");
    const digests = [
      config,
      away(config, { v1: 90, v2: 10 }),
      away(config, { v2: 90, v3: 10 }),
    ].map((each) => routingDigest(each, service, "cluster-a"));
    expect(digests[1]).not.toBe(digests[0]);
    expect(digests[2]).toBe(digests[0]);
    // The host that names it may lead to another version, without another one being kept.
    const led = (version: string) => ({
      ...config,
      kept: { versions: {}, hosts: { "cluster-b": { [KEY]: version } } },
    });
    const [one, other] = ["v1", "v2"].map((to) => routingDigest(led(to), service, "cluster-a"));
    expect(one).not.toBe(other);
    expect(routingDigest(led("v1"), service, "cluster-b")).toBe(
      routingDigest(config, service, "cluster-b"),
    );
  });
});

describe("a cluster that is back", () => {
  const config = having("v2", "v3", 10);
  const back = { "cluster-a": v("v2", "v3", 10), "cluster-b": v("v1", "v2", 10) };
  const plan = (deployed: Readonly<Record<string, Split>>) =>
    planRelease(
      config,
      Object.entries(deployed).map(([name, split]) => deployedCluster(name, split)),
    );

  it("gets all versions of the others in one step, while what it asks for keeps its subset", () => {
    const { routes, problems, kept } = plan(back);
    expect(problems).toEqual([]);
    expect(kept).toEqual({ versions: { [KEY]: ["v1"] }, hosts: {} });
    expect(routes.map(({ cluster, rises, catchesUp }) => ({ cluster, rises, catchesUp }))).toEqual([
      { cluster: "cluster-a", rises: false, catchesUp: false },
      { cluster: "cluster-b", rises: true, catchesUp: true },
    ]);
    const { subsets, rules } = objectsOf(config, back);
    expect(subsets).toEqual(["v2", "v3", "v1"]);
    expect(rules[`${HOST}-weights`]).toEqual(["v2 90", "v3 10"]);
  });

  it("leaves nothing behind once it is equal", () => {
    expect(plan({ ...back, "cluster-b": v("v2", "v3", 10) }).kept).toBeUndefined();
  });

  it("keeps no version that nobody is sent to", () => {
    expect(plan({ ...back, "cluster-b": v("v2", "v4", 0) }).kept).toBeUndefined();
  });
});
