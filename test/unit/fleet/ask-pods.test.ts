import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";
import { answersOf, askPods } from "../../../fleet/ask-pods.ts";

const pod = (name: string, uid = `uid of ${name}`): V1Pod => ({
  metadata: { name, namespace: "user", uid },
});

/** Lists that are given one after the other, and then always the last. */
function lists(...given: (readonly V1Pod[])[]) {
  const list = vi.fn<() => Promise<readonly V1Pod[]>>().mockResolvedValue(given.at(-1) ?? []);
  for (const each of given) list.mockResolvedValueOnce(each);
  return list;
}

/** Asks for the name; pods whose name begins with "dead" do not answer. */
const ask = ({ metadata }: V1Pod) =>
  metadata?.name?.startsWith("dead") === true
    ? Promise.reject(new Error("no answer"))
    : Promise.resolve(metadata?.name);

describe("askPods", () => {
  it("lists once where every pod answers", async () => {
    const list = lists([pod("a"), pod("b")]);
    expect(await askPods(list, ask)).toEqual({ answers: ["a", "b"], silent: [] });
    expect(list).toHaveBeenCalledTimes(1);
  });

  it("leaves out a pod that is gone, also when another one has its name", async () => {
    const list = lists(
      [pod("a"), pod("dead-1"), pod("dead-2", "first")],
      [pod("a"), pod("dead-2", "second")],
    );
    expect(await askPods(list, ask)).toEqual({ answers: ["a"], silent: [] });
  });

  it("tells a pod that is there and does not answer", async () => {
    const { answers, silent } = await askPods(lists([pod("a"), pod("dead-1")]), ask);
    expect(answers).toEqual(["a"]);
    expect(silent).toEqual([{ pod: pod("dead-1"), error: new Error("no answer") }]);
  });
});

describe("answersOf", () => {
  it("fails for a pod that is there and does not answer, and for no other", async () => {
    await expect(answersOf(lists([pod("dead")]), ask)).rejects.toThrow("no answer");
    expect(await answersOf(lists([pod("a"), pod("dead")], [pod("a")]), ask)).toEqual(["a"]);
  });
});
