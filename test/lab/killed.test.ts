import { describe, it } from "vitest";

import { describeKills } from "./kills.ts";
import { underLoad } from "./load.ts";
import { first, second, withOwnRelease } from "./release.ts";

const release = withOwnRelease("killed", { config: { allow: ["skip-phase"] } });
const load = underLoad(release, { inMesh: [first, second], outside: [first, second] });

// All processes in a raise, and Pulumi alone in a fall; make campaign kills more.
describeKills(release, 2, 31);

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
