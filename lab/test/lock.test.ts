import { once } from "node:events";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { withLock } from "../clusters/lock.ts";

const lockModule = new URL("../clusters/lock.ts", import.meta.url).href;

describe("a lock", () => {
  it("lets one in after the other, and says who holds it", async () => {
    const name = `lab-test-${process.pid}-order`;
    const order: string[] = [];
    const free = Promise.withResolvers<undefined>();
    const first = withLock(name, "the first", async () => {
      order.push("first begins");
      await free.promise;
      order.push("first ends");
    });
    const second = withLock(
      name,
      "the first",
      () => Promise.resolve(order.push("second")),
      (message) => {
        order.push(message);
        free.resolve(undefined);
      },
    );
    await Promise.all([first, second]);
    expect(order).toEqual([
      "first begins",
      `waiting for the first to finish (process ${process.pid})`,
      "first ends",
      "second",
    ]);
  });

  it("is free again when its holder was killed", async () => {
    const name = `lab-test-${process.pid}-killed`;
    const holder = execa(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { withLock } from ${JSON.stringify(lockModule)};
         await withLock(${JSON.stringify(name)}, "nobody", () => {
           console.log("held");
           return new Promise((resolve) => setTimeout(resolve, 60_000));
         });`,
      ],
      { reject: false },
    );
    await once(holder.stdout, "data");
    holder.kill("SIGKILL");
    expect(await withLock(name, "the holder", () => Promise.resolve("free"))).toBe("free");
  });
});
