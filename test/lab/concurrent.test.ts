import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";

import { labStack } from "../../lab/environment.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";
import { underLoad } from "./load.ts";
import { failure, first, second, withOwnRelease } from "./release.ts";
import { locked } from "./stack-lock.ts";
import { target } from "./target.ts";

const settings = labSettings();
const release = withOwnRelease("concurrent");
const { stack, pulumi, deployed, change, beginAt, expectEverywhere, expectRecovered } = release;
const load = underLoad(release, { inMesh: [first, second], outside: [first] });

/** Whether a file of the backend belongs to one of these stacks, or to none. */
function isOf(stacks: readonly string[], file: string): boolean {
  const stack = /\/stacks\/[^/]+\/([^/.]+)\./.exec(file)?.[1];
  return stack === undefined || stacks.includes(stack);
}

beforeEach(async () => {
  await beginAt(0);
});

describe("two updates at once", () => {
  it("of one stack: the second fails and says what to do, the first is not disturbed", async () => {
    const winner = change(10);
    await locked(stack);
    const text = await failure(pulumi.up("lab test: the second at once"));
    expect(text).toContain("the stack is currently locked");
    expect(text).toContain("pulumi cancel");
    await winner;
    await expectEverywhere(10);
  });

  it("from two backends, of which neither knows the other's lock: the clusters stay the same", async () => {
    const state = await mkdtemp(path.join(tmpdir(), "state-"));
    try {
      // Neither locks nor what other tests' stacks write meanwhile.
      const own = [labStack, stack];
      await cp(target.state, state, {
        recursive: true,
        filter: (file) => !/\/(locks|history|backups)(\/|$)/.test(file) && isOf(own, file),
      });
      const other = new PulumiCli(
        settings.root,
        { ...target.environment(), PULUMI_BACKEND_URL: `file://${state}` },
        stack,
      );
      await pulumi.setWeight(10);
      const results = await Promise.allSettled(
        [pulumi, other].map((each) => each.up("lab test: two backends")),
      );
      const refused = results.filter(({ status }) => status === "rejected");
      for (const each of refused) {
        expect(await failure(Promise.reject(Reflect.get(each, "reason") as Error))).toMatch(
          /was modified after this update began|somebody (changed|lowered)|has been modified/,
        );
      }
      const [one, two] = await deployed();
      expect(one?.weight).toBe(two?.weight);
      expect(one?.weight).toBe(refused.length === results.length ? 0 : 10);
    } finally {
      await rm(state, { recursive: true });
    }
    await expectRecovered(10);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
