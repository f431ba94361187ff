import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import { labEnvironment, labPaths, labStack } from "../../../lab/environment.ts";
import { PulumiCli } from "../../../lab/pulumi.ts";
import { labSettings } from "../../../lab/settings.ts";
import { until } from "../../../lib/until.ts";
import { labPulumi } from "../lab.ts";
import { underLoad } from "../load.ts";
import {
  beginAt,
  change,
  deployed,
  expectEverywhere,
  expectMended,
  failure,
  first,
  second,
} from "../release.ts";

const settings = labSettings();
const pulumi = labPulumi();
const load = underLoad({ inMesh: [first, second], outside: [first] });

async function locked(): Promise<void> {
  await until(
    "an update to hold the stack's lock",
    async () => {
      const all = await readdir(path.join(labPaths(settings).state, ".pulumi"), {
        recursive: true,
      });
      if (!all.some((name) => name.startsWith("locks") && name.endsWith(".json"))) {
        throw new Error("there is none");
      }
    },
    { timeoutMs: 60_000, everyMs: 20 },
  );
}

beforeEach(async () => {
  await beginAt(0);
});

afterAll(async () => {
  await expectMended(0);
});

describe("two updates at once", () => {
  it("of one stack: the second fails and says what to do, the first is not disturbed", async () => {
    const winner = change(10);
    await locked();
    const text = await failure(pulumi.up("lab test: the second at once"));
    expect(text).toContain("the stack is currently locked");
    expect(text).toContain("pulumi cancel");
    await winner;
    await expectEverywhere(10);
  });

  it("from two backends, of which neither knows the other's lock: the clusters stay the same", async () => {
    const state = await mkdtemp(path.join(tmpdir(), "state-"));
    try {
      await cp(labPaths(settings).state, state, { recursive: true });
      const other = new PulumiCli(
        settings.root,
        { ...labEnvironment(settings), PULUMI_BACKEND_URL: `file://${state}` },
        labStack,
      );
      await pulumi.setWeight(10);
      const results = await Promise.allSettled(
        [pulumi, other].map((each) => each.up("lab test: two backends")),
      );
      const refused = results.filter(({ status }) => status === "rejected");
      for (const each of refused) {
        expect(await failure(Promise.reject(Reflect.get(each, "reason") as Error))).toMatch(
          /somebody has changed|has been modified/,
        );
      }
      const [one, two] = await deployed();
      expect(one?.weight).toBe(two?.weight);
      expect(one?.weight).toBe(refused.length === results.length ? 0 : 10);
    } finally {
      await rm(state, { recursive: true });
    }
    await expectMended(10);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
