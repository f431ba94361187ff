import { describe, expect, it } from "vitest";
import { lostMarks, type Calls, type Member } from "../../../fleet/chain/lost-marks.ts";

const front: Member = { key: "web/front", isEntry: true, stable: "v1", canary: "v2" };
const orders: Member = { key: "web/orders", isEntry: false, stable: "v1", canary: "v2" };
const users: Member = { key: "web/users", isEntry: false, stable: "v1", canary: "v2" };
const all = [users, orders, front];

/** `web/front v2 > web/orders v2` in a cluster. */
function calls(way: string, requests: number, cluster = "cluster-a"): Calls {
  const [from = "", fromVersion = "", , to = "", toVersion = ""] = way.split(" ");
  return { cluster, from, fromVersion, to, toVersion, requests };
}

const probed = { requests: 10, without: [], mark: "x-mark" };
const seen = (members: readonly Member[], made: readonly Calls[], over = {}) =>
  lostMarks(members, made, { ...probed, ...over }).map(
    ({ cluster, seen: text }) => `${cluster ?? "everywhere"}: ${text}`,
  );

describe("who loses the mark", () => {
  it("is no service where every probe goes from canary to canary", () => {
    expect(
      seen(all, [
        calls("web/front v2 > web/orders v2", 10),
        calls("web/orders v2 > web/users v2", 4),
        calls("web/orders v2 > web/users v2", 6, "cluster-b"),
      ]),
    ).toEqual([]);
  });

  it("is the service whose canary calls the stable version of the next, in the clusters where it does", () => {
    expect(
      seen(all, [
        calls("web/front v2 > web/orders v2", 10),
        calls("web/orders v2 > web/users v1", 4),
        calls("web/orders v2 > web/users v1", 6, "cluster-b"),
      ]),
    ).toEqual(
      ["cluster-a", "cluster-b"].map(
        (cluster) =>
          `${cluster}: v2 of web/orders loses it: while 10 marked requests went through the chain, 0 of its requests to web/users went to v2 and 10 to v1`,
      ),
    );
  });

  it("is the first of several on the way", () => {
    const found = seen(all, [
      calls("web/front v2 > web/orders v1", 10),
      calls("web/orders v2 > web/users v1", 3),
    ]);
    expect(found).toEqual([expect.stringContaining("v2 of web/front loses it")]);
  });

  it("may be a service without a canary between two that have one", () => {
    const plain = { ...orders, canary: undefined };
    expect(
      seen(
        [front, plain, users],
        [calls("web/front v2 > web/orders v1", 10), calls("web/orders v1 > web/users v1", 10)],
      ),
    ).toEqual([expect.stringContaining("v1 of web/orders loses it")]);
  });

  it("is not one whose other requests go to stable, as long as the probes' do not", () => {
    expect(
      seen(all, [
        calls("web/front v2 > web/orders v2", 10),
        calls("web/orders v2 > web/users v2", 10),
        calls("web/orders v2 > web/users v1", 50),
      ]),
    ).toEqual([]);
  });

  it("is one that propagates the mark of only some probes", () => {
    expect(
      seen(all, [
        calls("web/front v2 > web/orders v2", 10),
        calls("web/orders v2 > web/users v2", 7),
        calls("web/orders v2 > web/users v1", 3),
      ]),
    ).toEqual([expect.stringContaining("7 of its requests to web/users went to v2 and 3 to v1")]);
  });

  it("is not known where no probe arrives, except where none is expected", () => {
    const made = [calls("web/front v2 > web/orders v2", 10)];
    expect(seen(all, made)).toEqual([
      "everywhere: no probe has reached v2 of web/users, so it is unknown whether the mark reaches it",
    ]);
    expect(seen(all, made, { without: ["web/users"] })).toEqual([]);
  });
});
