import { ApiException } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import { explain, isTransient, Transient } from "../../../fleet/explain.ts";
import { Late } from "../../../lib/within.ts";

describe("an error of a request, in one line", () => {
  it("tells what an answer lacks", () => {
    const { error } = z.array(z.object({ id: z.string() })).safeParse([{ id: 4 }]);
    expect(explain(error)).toBe("✖ Invalid input: expected string, received number → at [0].id");
  });

  it("tells why each address of a host did not answer", () => {
    const both = ["connect ECONNREFUSED ::1:80", "connect ECONNREFUSED 127.0.0.1:80"];
    const error = new AggregateError(both.map((message) => new Error(message)));
    expect(explain(error)).toBe(both.join(", "));
  });

  it("tells that there was no answer in time, whatever the client has said of it", () => {
    const late = Object.assign(new Error("no answer in time"), { name: "TimeoutError" });
    late.message = "Failed to fetch resource metadata: no answer in time";
    expect(explain(late)).toBe("no answer in time");
  });
});

describe("whether a request may succeed in a moment", () => {
  const answer = (code: number) => new ApiException(code, "", {}, {});
  const network = (code: string) => Object.assign(new Error(code), { code });

  it.each([
    answer(408),
    answer(429),
    answer(500),
    answer(503),
    Object.assign(new Error("no answer in time"), { name: "TimeoutError" }),
    new Late("no answer within 3.3 s"),
    network("ECONNREFUSED"),
    network("ENOTFOUND"),
    new Transient("user/client does not answer"),
    new TypeError("fetch failed", { cause: network("ECONNRESET") }),
    new TypeError("fetch failed", { cause: new AggregateError([network("ETIMEDOUT")]) }),
    new Error("timed out", { cause: new Transient("user/client does not answer") }),
    { type: "error", message: "socket hang up" },
  ])("it may after %s", (error) => {
    expect(isTransient(error)).toBe(true);
  });

  it.each([
    answer(401),
    answer(403),
    answer(404),
    answer(409),
    answer(422),
    new TypeError("renewTime.getTime is not a function"),
    new Error("user/client serves 10 %"),
    z.string().safeParse(4).error,
    undefined,
  ])("it may not after %s", (error) => {
    expect(isTransient(error)).toBe(false);
  });
});
