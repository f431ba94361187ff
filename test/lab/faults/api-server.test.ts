import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { failure, first, second, withFaultsRelease } from "../release.ts";
import { watchWrites, type WriteHook } from "./write-hook.ts";

const release = withFaultsRelease();
const { pulumi, id, arrival, deployed, change, beginAt, expectRecovered } = release;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(release, { inMesh: [first], outside: [first, second] });

beforeEach(async () => {
  await beginAt(0);
});

afterAll(async () => {
  await expectRecovered(0);
});

describe("an API server that does not answer", () => {
  afterEach(async () => {
    await labUp(labSettings());
  });

  it("keeps the weight from rising, by name, and lets the others fall", async () => {
    await change(10);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      const [before] = await deployed([first]);
      await pulumi.setWeight(30);
      const refused = `weight: must not rise while ${second.name} cannot be reached, got 30. Fix that first (${second.name}: no answer in time)`;
      expect(await failure(pulumi.up("lab test: up"))).toContain(refused);
      expect(await deployed([first])).toEqual([before]);

      const text = await failure(change(0));
      expect(text).toContain(` - ${second.name}: no answer in time`);
      expect(text).toContain(`The weight is 0 % now in ${first.name}.`);
      expect((await deployed([first]))[0]?.weight).toBe(0);
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
    await expectRecovered(0);
  });
});

describe("an API server that stops while the weight changes", () => {
  let hook: WriteHook | undefined;

  /** Stops a cluster's API server in the middle of a write; gives what the command then says. */
  async function stopDuringWrite(
    cluster: ClusterClient,
    { of, from, meanwhile }: { of: number; from: number; meanwhile: () => Promise<void> },
  ): Promise<string> {
    let armed = false;
    hook = await watchWrites(cluster, release, (weight) =>
      armed && weight === of ? "hold" : "pass",
    );
    armed = true;
    const text = failure(change(from));
    await hook.held;
    await meanwhile();
    await signal(cluster.name, "kube-apiserver", "SIGSTOP");
    try {
      return await text;
    } finally {
      await signal(cluster.name, "kube-apiserver", "SIGCONT");
    }
  }

  afterEach(async () => {
    await hook?.remove();
    hook = undefined;
    await labUp(labSettings());
  });

  it("between the two writes: the other cluster goes back", async () => {
    const text = await stopDuringWrite(second, {
      of: 10,
      from: 10,
      meanwhile: () => arrival(first, 10),
    });
    expect(text).toContain(`The weight was taken back in all clusters but ${second.name}:`);
    expect(text).toContain(` - ${second.name}: writing the weight: no answer in time`);
    expect(text).toContain(`${first.name}: v2 of ${id} has 0 %`);
    expect(text).toContain(`${second.name}: v2 of ${id} has 0 % or 10 %`);
    expect(text).toContain(`Fix ${second.name}, then run pulumi up again`);
    expect((await deployed([first]))[0]?.weight).toBe(0);
    await hook?.remove();
    await expectRecovered(10);
  });

  it("during a fall: the other cluster has fallen already", { tags: ["campaign"] }, async () => {
    await change(10);
    const text = await stopDuringWrite(second, {
      of: 0,
      from: 0,
      meanwhile: () => arrival(first, 0),
    });
    expect(text).toContain(` - ${second.name}: no answer in time`);
    expect(text).toContain(`The weight is 0 % now in ${first.name}.`);
    await hook?.remove();
    await expectRecovered(0);
  });

  it(
    "while the weight is taken back: the error names it and what it may have",
    { tags: ["campaign"] },
    async () => {
      // The second cluster takes the weight, the first one does not: the second has to go back.
      const refusing = await watchWrites(first, release, (weight) =>
        weight === 10 ? "refuse" : "pass",
      );
      try {
        const text = await stopDuringWrite(second, {
          of: 0,
          from: 10,
          meanwhile: () => Promise.resolve(),
        });
        expect(text).toContain(`The weight was taken back in all clusters but ${second.name}:`);
        expect(text).toContain(` - ${first.name}: writing the weight: `);
        expect(text).toContain("no new weight today");
        expect(text).toContain(` - ${second.name}: taking the weight back: `);
        expect(text).toContain(`${second.name}: v2 of ${id} has 0 % or 10 %`);
      } finally {
        await refusing.remove();
      }
      await hook?.remove();
      // A lower weight puts it right too.
      await expectRecovered(0);
    },
  );
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
