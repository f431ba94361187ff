import { describe, expect, it } from "vitest";
import { z } from "zod";

import { explain } from "../../../fleet/explain.ts";

describe("an error of a request, in one line", () => {
  it("tells what an answer lacks", () => {
    const { error } = z.array(z.object({ id: z.string() })).safeParse([{ id: 4 }]);
    expect(explain(error)).toBe("✖ Invalid input: expected string, received number → at [0].id");
  });

  it("tells that there was no answer in time, whatever the client has said of it", () => {
    const late = Object.assign(new Error("no answer in time"), { name: "TimeoutError" });
    late.message = "Failed to fetch resource metadata: no answer in time";
    expect(explain(late)).toBe("no answer in time");
  });
});
