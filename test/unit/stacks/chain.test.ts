import { beforeAll, describe, expect, it } from "vitest";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices, type Traffic } from "../../../stacks/release.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { settings } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording, type Registered } from "../../helpers/mocks.ts";

const VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService";
const size = { clusters: 2, services: 3, chain: true };

interface VirtualService {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly http: readonly {
      readonly name: string;
      readonly match?: readonly { readonly headers?: unknown }[];
      readonly route: readonly {
        readonly weight?: number;
        readonly destination: { readonly subset: string };
        readonly headers?: unknown;
      }[];
    }[];
  };
}
const inputs = (resource: Registered) => resource.inputs as unknown as VirtualService;

describe("the program with a chain", () => {
  let program: Recording;
  let traffic: Traffic;
  const of = (role: string) =>
    program
      .ofType(VIRTUAL_SERVICE)
      .filter((each) => inputs(each).metadata.labels["istio-canary/role"] === role);

  beforeAll(async () => {
    program = await recordProgram();
    const config = settings({ ...size, weight: 30 });
    ({ traffic } = releaseServices(config, installMesh(config).clusters, planRelease(config, [])));
    await program.settle();
  });

  it("makes no route of an entry before all followers' routes are in all clusters", () => {
    expect(of("entry")).toHaveLength(2);
    expect(of("follower")).toHaveLength(4);
    for (const entry of of("entry")) {
      for (const follower of of("follower")) {
        expect(program.waitsFor(entry, follower), `${entry.name} for ${follower.name}`).toBe(true);
        expect(program.waitsFor(follower, entry), follower.name).toBe(false);
      }
    }
  });

  it("marks what the entry sends to its canary, for every host, and takes the mark from all else", () => {
    for (const entry of of("entry")) {
      for (const { name, route } of inputs(entry).spec.http) {
        for (const { destination, headers } of route) {
          const change = destination.subset === "v2" ? { set: { "x-istio-canary": "canary" } } : {};
          expect(headers, name).toMatchObject({ request: change });
          if (destination.subset === "v1") {
            expect(headers, name).toMatchObject({
              request: { remove: expect.arrayContaining(["x-istio-canary"]) as unknown },
            });
          }
        }
      }
    }
  });

  it("gives followers no weight, and one rule for every host that matches the mark", () => {
    for (const follower of of("follower")) {
      const { http } = inputs(follower).spec;
      expect(http.map(({ route }) => route.map(({ weight }) => weight))).toEqual([
        [undefined],
        [100, 0],
        [undefined],
        [100, 0],
      ]);
      const marked = http.filter(({ name }) => name.endsWith("-marked"));
      for (const { match, route } of marked) {
        expect(match?.map(({ headers }) => headers)).toEqual([
          { "x-istio-canary": { exact: "canary" } },
          { baggage: { regex: expect.stringContaining("istio-canary") as unknown } },
        ]);
        expect(route.map(({ destination }) => destination.subset)).toEqual(["v2"]);
      }
    }
  });

  it("writes down at the entry what the chain consists of", () => {
    for (const entry of of("entry")) {
      expect(inputs(entry).metadata.annotations).toMatchObject({
        "istio-canary/chain": "user/order-service user/stock-service user/user-service",
        "istio-canary/mark": "x-istio-canary and baggage istio-canary",
      });
    }
  });

  it("tells of every service the share of its chain", () => {
    for (const services of Object.values(traffic)) {
      expect(Object.keys(services)).toHaveLength(3);
      for (const shares of Object.values(services)) expect(shares).toEqual({ v1: 70, v2: 30 });
    }
  });

  it("records a follower's routes once for all weights", () => {
    const at = (weight: number) => settings({ ...size, weight });
    const digest = (weight: number, i: number) => {
      const service = at(weight).services[i];
      if (!service) throw new Error("the fixture has three services");
      return routingDigest(at(weight), service, "cluster-a");
    };
    expect(digest(10, 1)).toBe(digest(30, 1));
    expect(digest(10, 0)).not.toBe(digest(30, 0));
  });
});
