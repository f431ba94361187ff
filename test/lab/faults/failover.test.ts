import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { until } from "../../../lib/until.ts";
import { disturb, mend } from "../cut.ts";
import { callAtOnce, named, RATE, untilNamedAnswers, withFailoverRelease } from "../failover.ts";
import { first, second } from "../release.ts";
import { failures, hasFailed } from "../requests.ts";

const { change, sendWhile, scale } = withFailoverRelease("own-first");

beforeAll(async () => {
  await change(10);
});

describe("a cluster that is cut off, so that packets are lost", () => {
  it("costs no request of a service that prefers its own cluster", async () => {
    const { sent } = await sendWhile(10, () => disturb(second.name, { kind: "drop" }));
    expect(sent.length).toBeGreaterThan(10 * RATE);
    expect(sent.filter(hasFailed)).toEqual([]);
    expect([...new Set(sent.map(({ cluster }) => cluster))]).toEqual([first.name]);
    expect([...new Set(sent.map(({ version }) => version))].sort()).toEqual(["v1", "v2"]);
  });

  it("has the host that names it fail soon, and answer again once it is back", async () => {
    await untilNamedAnswers();
    await disturb(second.name, { kind: "drop" });
    // A request on a connection that was open before ends with the service's time limit: no other does. Each
    // thread of an Envoy has some of its own.
    await until(
      "the connections that were open before to be used up",
      async () => {
        const statuses = (await callAtOnce(first, named, 20)).map(({ status }) => status);
        if (statuses.includes(504)) throw new Error("not yet");
      },
      { timeoutMs: 60_000 },
    );
    for (const round of ["second", "third"]) {
      const answers = await callAtOnce(first, named, 20);
      expect([...new Set(answers.map(({ status }) => status))], round).toEqual([503]);
      const seconds = answers.map((answer) => answer.seconds).sort((x, y) => x - y);
      expect(seconds[seconds.length / 2], round).toBeLessThan(1.5);
      // One that fails before the gateway is left out is tried twice more.
      expect(seconds.at(-1), round).toBeLessThan(4);
    }
    await mend(second.name);
    await untilNamedAnswers();
  });
});

describe("pods of a service that are gone in one cluster", () => {
  afterAll(async () => {
    await scale(first);
  });

  it("have the other cluster answer instead", async () => {
    const { sent, at } = await sendWhile(10, () => scale(first, 0));
    const late = sent.filter((each) => each.at > at + 5000);
    expect([...new Set(late.map(({ cluster }) => cluster))]).toEqual([second.name]);
    expect(failures(sent, "GET").percent).toBeLessThanOrEqual(0.2);
    expect(failures(sent, "POST").percent).toBeLessThanOrEqual(2);
    expect(sent.filter((each) => hasFailed(each) && each.at > at + 5000)).toEqual([]);
  });
});
