import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { Acknowledgements } from "../../../fleet/acknowledgements.ts";
import type { Connection, Connections } from "../../../fleet/connections.ts";
import { stateOf } from "../../../fleet/connections.ts";

const UUID = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";
const nonce = (state: number) => `2030-01-01T00:00:00Z/${state}${UUID}`;

/** A pod of a workload. */
function pod(name: string, workload: string): V1Pod {
  const owner = { controller: true, uid: workload, apiVersion: "apps/v1", kind: "ReplicaSet" };
  return {
    metadata: {
      name,
      namespace: "user",
      uid: `uid of ${name}`,
      ownerReferences: [{ ...owner, name: workload }],
    },
  };
}

/** Connections to an istiod by the proxies' names, each with the last state sent, and the last acknowledged. */
function connections(
  of: Readonly<
    Record<string, readonly (readonly [sent: number, acknowledged: number, istiod?: string])[]>
  >,
): Connections {
  const entries = Object.entries(of).map(([name, each]) => {
    const found = each.map(([sent, acknowledged, istiod = "istiod-1"]): Connection => {
      const same = { sent: nonce(sent), acknowledged: nonce(acknowledged) };
      const nonces = { route: same, cluster: same, endpoint: same, listener: same };
      return { istiod, revision: "default", nonces };
    });
    return [`${name}.user`, found] as const;
  });
  return { of: new Map(entries), silent: [] };
}

const asked = pod("asked", "a");
const other = pod("other", "b");

/** What is concluded of the other, once the asked one has shown what it must have. */
function verdict(
  before: Parameters<typeof connections>[0],
  after: Parameters<typeof connections>[0],
  holds: readonly boolean[] = [true],
) {
  const acknowledgements = new Acknowledgements("route");
  acknowledgements.learn(asked, holds, connections(before), connections(after));
  return acknowledgements.verdict(other, connections(after));
}

describe("the state of a nonce", () => {
  it("is the number before the UUID, which may begin with digits", () => {
    expect(stateOf(nonce(42))).toBe(42);
    expect(stateOf("")).toBeUndefined();
    expect(stateOf(UUID)).toBeUndefined();
    expect(stateOf(`some-ledger-hash${UUID}`)).toBeUndefined();
  });
});

describe("an Envoy that was not asked", () => {
  it("has it once it has acknowledged the state that another one shows, or a later one", () => {
    const before = { asked: [[41, 41]], other: [[41, 41]] } as const;
    expect(verdict(before, { asked: [[42, 42]], other: [[42, 42]] })).toBe("acknowledged");
    // What came afterwards changes nothing, acknowledged or not.
    expect(verdict(before, { asked: [[42, 42]], other: [[44, 43]] })).toBe("acknowledged");
  });

  it("may not have it as long as it has acknowledged an older one only", () => {
    const before = { asked: [[41, 41]], other: [[41, 41]] } as const;
    expect(verdict(before, { asked: [[42, 42]], other: [[42, 41]] })).toBe("pending");
    expect(verdict(before, { asked: [[42, 42]], other: [[41, 41]] })).toBe("unknown");
  });

  it("is judged by what was sent to the other one by then, which it may not have told to have taken yet", () => {
    const before = { asked: [[41, 41]], other: [[41, 41]] } as const;
    expect(verdict(before, { asked: [[42, 41]], other: [[41, 41]] })).toBe("unknown");
  });

  it("is not judged by an Envoy of another istiod, nor by one that has moved", () => {
    const here = { asked: [[5, 5, "istiod-2"]], other: [[42, 42]] } as const;
    expect(verdict(here, here)).toBe("unknown");
    const moved = { asked: [[7, 7, "istiod-2"]], other: [[42, 42]] } as const;
    expect(verdict(moved, { asked: [[42, 42]], other: [[42, 42]] })).toBe("unknown");
  });

  it("is not known where it is connected to no istiod, or to two", () => {
    const one = { asked: [[42, 42]] } as const;
    expect(verdict(one, one)).toBe("unknown");
    const two = {
      ...one,
      other: [
        [42, 42],
        [42, 42, "istiod-2"],
      ],
    } as const;
    expect(verdict(two, two)).toBe("unknown");
  });

  it("must have the states of all services, each shown by another Envoy", () => {
    const acknowledgements = new Acknowledgements("route");
    const now = connections({
      asked: [[42, 42]],
      further: [[45, 45]],
      other: [[44, 44]],
      newer: [[45, 45]],
    });
    acknowledgements.learn(asked, [true, false], now, now);
    expect(acknowledgements.verdict(other, now)).toBe("acknowledged");
    acknowledgements.learn(pod("further", "c"), [false, true], now, now);
    expect(acknowledgements.verdict(other, now)).toBe("unknown");
    expect(acknowledgements.verdict(pod("newer", "b"), now)).toBe("acknowledged");
  });

  it("is like an Envoy of its own workload: it gets some of the services, or nothing", () => {
    const acknowledgements = new Acknowledgements("route");
    const now = connections({
      asked: [[42, 42]],
      some: [[30, 30]],
      none: [[12, 12]],
      other: [[30, 30]],
      last: [[9, 9]],
    });
    acknowledgements.learn(asked, [true, true], now, now);
    expect(acknowledgements.verdict(other, now)).toBe("unknown");
    acknowledgements.learn(pod("some", "b"), [true, false], now, now);
    expect(acknowledgements.verdict(other, now)).toBe("acknowledged");
    const last = pod("last", "c");
    expect(acknowledgements.verdict(last, now)).toBe("unknown");
    acknowledgements.learn(pod("none", "c"), [false, false], now, now);
    expect(acknowledgements.verdict(last, now)).toBe("not concerned");
  });

  it("is none that nothing concerns while it has not acknowledged what it was sent", () => {
    const acknowledgements = new Acknowledgements("route");
    const now = connections({ none: [[12, 12]], other: [[30, 12]] });
    acknowledgements.learn(pod("none", "b"), [false], now, now);
    expect(acknowledgements.verdict(other, now)).toBe("pending");
  });
});
