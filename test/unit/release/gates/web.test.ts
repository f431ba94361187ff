import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readings, type Phase } from "../../../../release/gates/readings.ts";
import { gatesOf, verdict } from "../../../../release/gates/verdict.ts";
import { WebCounts } from "../../../../release/gates/web.ts";
import { schema } from "../../../../stacks/schema.ts";
import { builtInGatesBut, judged, phase, T0 } from "../../../helpers/gate-readings.ts";
import { FakeMetrics, hasSamples } from "../../../helpers/metrics.ts";

const without = builtInGatesBut();

let server: Server;
let base: string;
let seen: { url: URL; authorization: string | undefined }[];
/** What the endpoint answers about a version. */
let answers: Record<string, unknown>;
let status: number;

beforeEach(async () => {
  [seen, status] = [[], 200];
  answers = { v1: { bad: 5, all: 5000 }, v2: { bad: 1, all: 1000 } };
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    seen.push({ url, authorization: request.headers.authorization });
    const answer = answers[url.searchParams.get("version") ?? ""];
    if (answer === undefined) return;
    response.statusCode = status;
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const PATH =
  "/hush/{{namespace}}/{{service}}?version={{version}}&cluster={{cluster}}&since={{since}}&until={{until}}&window={{window}}&key=hush";

/** What a rollout sees of the gate at its looks, with one Prometheus that knows nothing of it. */
function looks(more: object = {}, origin = base) {
  const gate = { name: "checkout", url: `${origin}${PATH}`, timeout: "10s", ...more };
  const config = schema.rollout.parse({ gates: { web: [gate], without } }).gates;
  const settings = { config, gates: gatesOf(config), web: new WebCounts() };
  const confidence = { minSamples: 100, risk: 0.001 };
  const metrics = new FakeMetrics([hasSamples]);
  return async (change: Partial<Phase> = {}) => {
    const at = { ...phase, ...change };
    const found = await readings("cluster-b", metrics, judged, settings, at);
    return found.map((reading) => {
      const [gateOf] = settings.gates;
      if (!gateOf) throw new Error("no gate");
      const { outcome, blind, text } = verdict(gateOf, reading, at.weight, confidence);
      return { outcome, blind, text, counts: reading.counts };
    });
  };
}

describe("a gate by an endpoint", () => {
  it("asks for both versions since the weight has settled, and judges what it is told", async () => {
    const [seenOf] = await looks({ headers: { Authorization: "Bearer t" } })();
    expect(seenOf).toMatchObject({
      outcome: "pass",
      counts: { canary: { hits: 1, trials: 1000 }, stable: { hits: 5, trials: 5000 } },
    });
    expect(seen.map(({ authorization }) => authorization)).toEqual(["Bearer t", "Bearer t"]);
    const [first] = seen;
    expect(first?.url.pathname).toBe("/hush/user/user-service");
    expect(Object.fromEntries(first?.url.searchParams ?? [])).toEqual({
      version: "v2",
      cluster: "cluster-b",
      since: "2026-01-01T00:00:30.000Z",
      until: "2026-01-01T00:05:30.000Z",
      window: "300s",
      key: "hush",
    });
  });

  it("fails a canary that is worse than its limits allow", async () => {
    answers["v2"] = { bad: 1000, all: 10_000 };
    expect(await looks()()).toMatchObject([{ outcome: "fail" }]);
    expect(await looks({ atLeast: 85 })()).toMatchObject([{ outcome: "pass" }]);
    answers["v1"] = { bad: 5000, all: 50_000 };
    expect(await looks()()).toMatchObject([{ outcome: "pass" }]);
    expect(await looks({ against: "fixed" })()).toMatchObject([{ outcome: "fail" }]);
  });

  it("compares with what stable got before the phase where it gets nothing in it", async () => {
    await looks()({ weight: 100 });
    const stable = seen.find(({ url }) => url.searchParams.get("version") === "v1");
    expect(stable?.url.searchParams.get("since")).toBe("2025-12-31T23:50:00.000Z");
    expect(stable?.url.searchParams.get("until")).toBe("2026-01-01T00:00:00.000Z");
  });

  it("asks nothing until the weight has settled", async () => {
    expect(await looks()({ now: T0 + 30_500 })).toMatchObject([{ outcome: "hold", blind: false }]);
    expect(seen).toEqual([]);
  });

  const page = "answers with something other than";
  it.each<[string, unknown, string]>([
    ["does not answer", undefined, "did not answer: no answer in time"],
    ["answers with a page", "<html>hush</html>", `${page} {"bad": 1, "all": 100}`],
    ["answers with a list", [1, 2], `${page} {"bad": 1, "all": 100}`],
    [
      "leaves a number out",
      { bad: 1 },
      "answers with all: no number; it must be a whole number, 0 or more",
    ],
    [
      "gives a text",
      { bad: "hush", all: 1000 },
      "answers with bad: no number; it must be a whole number, 0 or more",
    ],
    [
      "counts less than nothing",
      { bad: -1, all: 1000 },
      "answers with bad: -1; it must be a whole number, 0 or more",
    ],
    [
      "counts parts",
      { bad: 0, all: 0.5 },
      "answers with all: 0.5; it must be a whole number, 0 or more",
    ],
    [
      "counts more bad events than all",
      { bad: 7, all: 6 },
      "counts more bad events than all: 7 bad of 6",
    ],
  ])("holds where it %s", async (_, answer, why) => {
    answers["v2"] = answer;
    expect(await looks(answer === undefined ? { timeout: "300ms" } : {})()).toEqual([
      {
        outcome: "hold",
        blind: true,
        text: `cluster-b: checkout of v2 of user/user-service is unknown: ${base} ${why}`,
        counts: undefined,
      },
    ]);
  });

  it.each([
    [500, "answered HTTP 500"],
    [403, "refuses the request (HTTP 403): check url and headers of checkout in rollout.gates.web"],
  ])("holds where it answers %i, and shows no more of the URL than its host", async (code, why) => {
    status = code;
    const credentials = base.replace("http://", "http://me:hush@");
    const [seenOf] = await looks({}, credentials)();
    expect(seenOf?.outcome).toBe("hold");
    expect(seenOf?.text).toContain(`is unknown: ${base} ${why}`);
    expect(JSON.stringify(seenOf)).not.toContain("hush");
  });

  it("holds while it counts fewer events than it did in this phase", async () => {
    const look = looks();
    await look();
    answers["v2"] = { bad: 0, all: 1000 };
    expect(await look()).toMatchObject([
      {
        outcome: "hold",
        blind: true,
        text: `cluster-b: checkout of v2 of user/user-service is unknown: ${base} counts fewer events than before: 1 bad of 1000, then 0 bad of 1000`,
      },
    ]);
    answers["v2"] = { bad: 1, all: 1001 };
    expect(await look()).toMatchObject([{ outcome: "pass" }]);
    // Another phase counts from its own begin.
    answers["v2"] = { bad: 0, all: 200 };
    expect(await look({ since: T0 + 60_000 })).toMatchObject([{ blind: false }]);
  });

  it("does not send its headers to where it is redirected", async () => {
    const other = createServer((_, response) => response.end('{"bad":0,"all":1000}'));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const to = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    server.removeAllListeners("request");
    server.on("request", (_, response: import("node:http").ServerResponse) => {
      response.writeHead(302, { location: to }).end();
    });
    try {
      const [seenOf] = await looks({ headers: { "X-Api-Key": "hush" } })();
      expect(seenOf?.text).toContain(`it redirects to ${to}, to which its credentials`);
      expect(await looks()()).toMatchObject([{ outcome: "pass" }]);
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });

  it("has seen nothing where it counts nothing", async () => {
    answers = { v1: { bad: 0, all: 0 }, v2: { bad: 0, all: 0 } };
    expect(await looks()()).toMatchObject([{ outcome: "hold", blind: false }]);
  });
});
