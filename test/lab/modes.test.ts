import { beforeEach, describe, expect, it } from "vitest";

import { letWritesThrough, refuseWrites } from "./refuse-writes.ts";
import { failure, first, second, withOwnRelease } from "./release.ts";

const release = withOwnRelease("modes");
const { stack, pulumi, service, id, deployed, change, beginAt, expectEverywhere } = release;

/** A resource that has nothing to do with weights. */
const other = `urn:pulumi:${stack}::istio-canary::kubernetes:core/v1:Namespace::${service.namespace}-${first.name}`;

/** The VirtualServices that a preview shows as changed. */
async function changing(): Promise<string[]> {
  return (await pulumi.preview()).value.map(({ urn }) => urn);
}

beforeEach(async () => {
  await beginAt(0);
});

describe("pulumi up --target", () => {
  it("at one VirtualService raises the weight in all clusters, and says what lags behind", async () => {
    await pulumi.setWeight(10);
    const [target = "", left = ""] = await changing();
    const { value } = await pulumi.up("modes test: one target", "--target", target);
    expect(value).toContain(`leaves out the VirtualService of ${id} in `);
    await expectEverywhere(10);
    expect(await changing()).toEqual([left]);
    await pulumi.up("modes test: all");
    expect(await changing()).toEqual([]);
  });

  it("at something else raises nothing, and fails, as its preview does", async () => {
    await pulumi.setWeight(10);
    const before = await deployed();
    const excluded = (await changing()).flatMap((urn) => ["--exclude", urn]);
    const commands = [
      () => pulumi.preview("--target", other),
      () => pulumi.up("modes test: none", ...excluded),
    ];
    for (const command of commands) {
      const text = await failure(command());
      expect(text).toContain("leaves out VirtualServices that have to change");
      expect(text).toContain(
        `${second.name}: ${id} has v1 100 % / v2 0 % instead of v1 90 % / v2 10 %`,
      );
    }
    expect(await deployed()).toEqual(before);
  });

  it(
    "at something else lowers the weight all the same, in all clusters",
    { tags: ["campaign"] },
    async () => {
      await change(10);
      await pulumi.setWeight(0);
      const { value } = await pulumi.up("modes test: down", "--target", other);
      expect(value).toContain("Pulumi's state lags until you run pulumi up without these flags");
      await expectEverywhere(0);
      await pulumi.up("modes test: all");
      expect(await changing()).toEqual([]);
    },
  );
});

describe("routing objects that somebody has deleted", () => {
  it("are made anew by a plain pulumi up, and the canary's weight rises there with the next", async () => {
    await change(10);
    const { name, namespace } = service;
    for (const kind of ["DestinationRule", "VirtualService"]) {
      const apiVersion = "networking.istio.io/v1";
      await second.objects.delete({ apiVersion, kind, metadata: { name, namespace } });
    }
    expect((await pulumi.preview()).value).toEqual([]);
    const { value } = await pulumi.up("modes test: made anew");
    expect(value).toContain(` - ${second.name}: DestinationRule ${id}`);
    expect(value).toContain(`Routes are made with 0 % for the canary: ${id} in ${second.name}.`);
    expect((await deployed()).map(({ weight }) => weight)).toEqual([10, 0]);
    await pulumi.up("modes test: all");
    await expectEverywhere(10);
    expect(await changing()).toEqual([]);
  });
});

describe("pulumi up --continue-on-error", { tags: ["campaign"] }, () => {
  it("keeps the weight from rising in any cluster when one refuses it, and fails", async () => {
    await refuseWrites(second, release);
    try {
      await pulumi.setWeight(10);
      const text = await failure(pulumi.up("modes test: refused", "--continue-on-error"));
      expect(text).toContain("The weight was taken back in all clusters:");
      expect(text).toContain(`Pulumi has not updated the VirtualService of ${id} in `);
      expect((await deployed()).map(({ weight }) => weight)).toEqual([0, 0]);
      await expectEverywhere(0);
    } finally {
      await letWritesThrough(second, release);
    }
  });
});

describe("pulumi up --replace", { tags: ["campaign"] }, () => {
  it("recreates a VirtualService, which is there afterwards with its weight", async () => {
    await change(10);
    await pulumi.setWeight(0);
    const [target = ""] = await changing();
    await pulumi.setWeight(10);
    await pulumi.up("modes test: replaced", "--replace", target);
    await expectEverywhere(10);
  });
});
