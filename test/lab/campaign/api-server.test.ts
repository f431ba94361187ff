import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { failure, first, second, withOwnRelease } from "../release.ts";
import { watchWrites, type WriteHook } from "../faults/write-hook.ts";

const release = withOwnRelease("api-server");
const { arrival, deployed, change, beginAt, expectRecovered } = release;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(release, { inMesh: [first], outside: [first, second] });

beforeEach(async () => {
  await beginAt(0);
});

describe("an API server that is killed", () => {
  let hook: WriteHook | undefined;

  afterEach(async () => {
    await hook?.remove();
    hook = undefined;
    await labUp(labSettings());
  });

  it("recovers with the lab, and the next update makes all clusters the same", async () => {
    await change(10);
    await signal(second.name, "kube-apiserver", "SIGKILL");
    const text = await failure(change(0));
    expect(text).toMatch(new RegExp(` - ${second.name}: .*ECONNREFUSED`));
    expect((await deployed([first]))[0]?.weight).toBe(0);
    await labUp(labSettings());
    await expectRecovered(0);
  });

  it("dead between the two writes: the other cluster goes back", async () => {
    hook = await watchWrites(second, release, (weight) => (weight === 10 ? "hold" : "pass"));
    const text = failure(change(10));
    await hook.held;
    await arrival(first, 10);
    await signal(second.name, "kube-apiserver", "SIGKILL");
    expect(await text).toContain(`The weight was taken back in all clusters but ${second.name}:`);
    expect((await deployed([first]))[0]?.weight).toBe(0);
    await labUp(labSettings());
    await hook.remove();
    await expectRecovered(10);
  });
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
