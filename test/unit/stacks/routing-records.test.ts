import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { recordRouting } from "../../../fleet/records/routing-records.ts";
import { configKeys, type ConfigKey } from "../../../scripts/config-keys.ts";
import type { Settings } from "../../../stacks/config.ts";
import { routed } from "../../../stacks/schema/structure.ts";
import { key } from "../../../stacks/schema/values.ts";
import { schema } from "../../../stacks/schema.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { joinHooks, RoutingRecords, whoRuns } from "../../../stacks/routing-records.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/records/routing-records.ts"), async (original) => ({
  ...(await original()),
  recordRouting: vi.fn<typeof recordRouting>(),
}));

const config = settings({ weight: 10 });
const [service] = config.services;
if (!service) throw new Error("the fixture has a service");

async function afterUpdate(): Promise<void> {
  const [hook] = new RoutingRecords(config).hooks("cluster-b", service as never).afterUpdate ?? [];
  if (typeof hook !== "function") throw new Error("there is no hook after the update");
  await hook({ urn: "", id: "", name: "", type: "" });
}

beforeEach(() => {
  vi.mocked(recordRouting).mockReset();
});

describe("after an update of a VirtualService", () => {
  it("what its cluster serves is recorded under the configuration's digest", async () => {
    await afterUpdate();
    const [cluster, scope, state] = vi.mocked(recordRouting).mock.calls[0] ?? [];
    expect(cluster?.name).toBe("cluster-b");
    expect(scope?.hosts).toEqual([
      "user-service.user.svc.cluster.local",
      "user-service.user.cluster-a.mesh",
      "user-service.example.com",
    ]);
    expect(state).toEqual({ digest: routingDigest(config, service, "cluster-b"), by: whoRuns() });
  });

  it("a warning names the cluster that could not be recorded, and the update goes on", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    vi.mocked(recordRouting).mockRejectedValue(new Error("forbidden"));
    await afterUpdate();
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      "cluster-b: what user/user-service serves now is not recorded, so a rollback to this state cannot be compared with it: forbidden",
    );
  });
});

describe("who has made a state", () => {
  it("is who the CI system says, or the user of this machine", () => {
    expect(whoRuns({ GITHUB_ACTOR: "ada" })).toBe("ada");
    expect(whoRuns({})).toMatch(/^.+@.+$/);
  });
});

describe("the digest of a configuration's routing", () => {
  const digest = (changes: object, of: object = {}, cluster = "cluster-a") =>
    routingDigest({ ...config, ...of }, { ...service, ...changes }, cluster);

  it("is the same for the same routing, whatever runs behind it", () => {
    const { canary } = service;
    expect(digest({ env: { LOG: "debug" }, stable: { ...service.stable, replicas: 9 } })).toBe(
      digest({}),
    );
    expect(digest({ canary: Object.fromEntries(Object.entries(canary ?? {}).reverse()) })).toBe(
      digest({}),
    );
    expect(digest({ canary: undefined }, { weight: 30 })).toBe(digest({ canary: undefined }));
    expect(digest({}, {}, "cluster-b")).toBe(digest({}));
  });

  it("is that of weight 0 in a cluster in quarantine, and the others do not notice", () => {
    const of = { quarantine: ["cluster-b"] };
    expect(digest({}, of, "cluster-b")).toBe(digest({}, { weight: 0 }, "cluster-b"));
    expect(digest({}, of, "cluster-b")).not.toBe(digest({}));
    expect(digest({}, of)).toBe(digest({}));
  });

  it.each([
    [{}, { weight: 30 }],
    [{}, { clusters: config.clusters.slice(0, 1) }],
    [{ stable: { ...service.stable, version: "v0" } }, {}],
    [{ canary: undefined }, {}],
    [{ matches: [] }, {}],
    [{ mirrorPercent: 5 }, {}],
    [{ timeout: "3s" }, {}],
    [{ retries: { attempts: 0 } }, {}],
    [{ ingressHosts: [] }, {}],
  ])("is another one with %j %j", (changes, of) => {
    expect(digest(changes, of)).not.toBe(digest({}));
  });
});

/** A configuration in which every service has all that routes requests. */
function everything(): Settings {
  const found = settings({ weight: 30, services: 3, quarantine: ["cluster-b"] });
  return {
    ...found,
    services: found.services.map((each) => ({
      ...each,
      timeout: "3s",
      retries: { attempts: 1, perTryTimeout: "1s", on: "unavailable" },
      mirrorPercent: 5,
      args: ["a"],
      env: { B: "c" },
      user: 7,
      matches: [{ header: { b: "2", a: "1" } }, { cookie: { c: "3" } }],
    })),
  };
}

describe("the digest of a routing that clusters have recorded", () => {
  const bare = { ...config, services: [{ ...service, canary: undefined }] };
  const chain = settings({ weight: 30, services: 3, chain: true });
  const rich = everything();

  it.each([
    [
      "one service",
      config,
      "user-service",
      "cluster-a",
      "8c3515ea7df633ad9fafbbba00539abedda2df3f7e2f8351f4294b7fb06e9d2d",
    ],
    [
      "every key that routes, and a cluster in quarantine",
      rich,
      "user-service",
      "cluster-a",
      "83dc866dbd90ee6d67705047ce85a06d2dd4c28154de9ac42819853d60be82ec",
    ],
    [
      "every key that routes, and a cluster in quarantine",
      rich,
      "order-service",
      "cluster-a",
      "ea69dc3b1ca4437b1b45153fb22c4d2f335dc05277b45e514c335715e9019eaa",
    ],
    [
      "every key that routes, and a cluster in quarantine",
      rich,
      "user-service",
      "cluster-b",
      "0ae2477092f4d2a1697143ff3f4b05781633d33b0d1fefb7b4a84ee00e38625a",
    ],
    [
      "every key that routes, and a cluster in quarantine",
      rich,
      "order-service",
      "cluster-b",
      "9699891a60e36b43074bae2156fa5b5882d5cd4e81865e63b62324b80885aea1",
    ],
    [
      "a chain",
      chain,
      "user-service",
      "cluster-a",
      "657933fcc3635d92c0aa3aa9bb29ef0f13da3f26fce4496e54663560b4a8f6cc",
    ],
    [
      "a chain",
      chain,
      "order-service",
      "cluster-a",
      "da82d18bf67f72b2a0b43a916ef595f7e9df46f095439733d5f4d8b0a2694f68",
    ],
    [
      "a chain",
      chain,
      "stock-service",
      "cluster-a",
      "36ec27d94e74c49fa939215a82b5e5814f2c0ada0a7d8816d27fac6b1f8c547d",
    ],
    [
      "no canary",
      bare,
      "user-service",
      "cluster-a",
      "b15f6b79b21f972d7deb04b8202ca01c359d8cf4fa6d6a4a4f418766a6eaa282",
    ],
  ])("is what it was: %s, %#", (_, of, name, cluster, recorded) => {
    const found = of.services.find((each) => each.name === name);
    expect(found && routingDigest(of, found, cluster)).toBe(recorded);
  });
});

describe("each key that says whether it decides the routing", () => {
  const chained = settings({ weight: 30, services: 3, chain: true });
  const facts = configKeys(schema)
    .flatMap((key) => [key, ...(key.meta.routing === "parts" ? partsOf(key) : [])])
    .filter(({ meta }) => meta.routing !== "parts");
  /** What a key is set to, where any text would not do. */
  const others: Readonly<Record<string, unknown>> = {
    weight: 10,
    quarantine: ["cluster-a"],
    "chain.entries": ["user/order-service"],
    // Read for its name, not as a part of the service's routes.
    "clusters[].name": "cluster-z",
  };
  const digest = (of: Settings) => {
    const [entry] = of.services;
    if (!entry) throw new Error("the fixture has three services");
    return routingDigest(of, entry, "cluster-a");
  };

  it.each(facts.map(({ path, meta }) => [path, meta.routing] as const))(
    "%s is in the digest: %s",
    (path, routing) => {
      const changed = replaced(chained, path.split("."), others[path] ?? "changed") as Settings;
      expect(changed).not.toEqual(chained);
      expect(digest(changed) === digest(chained)).toBe(routing === "none");
    },
  );

  it("are all keys at the top, and all within one that decides it in part", () => {
    expect(facts.filter(({ meta }) => meta.routing === undefined).map(({ path }) => path)).toEqual(
      [],
    );
    const untold = z.strictObject({ told: key(z.string(), { description: "It says nothing." }) });
    expect(() => routed(untold, { told: "" }, "services[]")).toThrow(
      "services[].told does not say whether it decides the routing",
    );
  });
});

/** The keys of one that decides the routing in part, and theirs. */
function partsOf({ children }: ConfigKey): readonly ConfigKey[] {
  return children.flatMap((key) => [key, ...(key.meta.routing === "parts" ? partsOf(key) : [])]);
}

/** A value with another part, in the first element where it is in a list: `services[]`, `stable`. */
function replaced(value: unknown, [part = "", ...rest]: readonly string[], by: unknown): unknown {
  const name = part.replace("[]", "");
  const now = Reflect.get(value as object, name) as unknown;
  const inner = (of: unknown) => (rest.length === 0 ? by : replaced(of, rest, by));
  const next = part.endsWith("[]")
    ? (now as unknown[]).with(0, inner((now as unknown[])[0]))
    : inner(now);
  return { ...(value as object), [name]: next };
}

describe("hooks of several concerns", () => {
  it("all run, in their order", () => {
    const [one, two] = [vi.fn<() => void>(), vi.fn<() => void>()];
    const joined = joinHooks({ afterUpdate: [one] }, undefined, {
      afterUpdate: [two],
      beforeUpdate: [two],
    });
    expect(joined).toEqual({ beforeUpdate: [two], afterUpdate: [one, two] });
  });
});
