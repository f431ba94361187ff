import { describe, expect, it } from "vitest";
import { PreviewAhead } from "../../../release/preview-ahead.ts";
import { previewStep } from "../../helpers/preview-step.ts";

/** A stack whose previews a test counts and can make fail, and whose state it can change. */
class FakeStack {
  readonly previewed: number[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  state = "as recorded";
  problem: string | undefined;
  isAway = false;
  readonly digest = previewStep("update");

  previewAt(weight: number, signal?: AbortSignal) {
    this.previewed.push(weight);
    this.signals.push(signal);
    return this.problem === undefined
      ? Promise.resolve(this.digest)
      : Promise.reject(new Error(this.problem));
  }
  fingerprint() {
    return this.isAway
      ? Promise.reject(new Error("the backend is away"))
      : Promise.resolve(this.state);
  }
}

describe("a preview ahead", () => {
  it("is made once, and is the one that the raise asks for", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    await Promise.all([previews.begin(30), previews.begin(30)]);
    await previews.begin(30);
    expect(await previews.previewAt(30)).toBe(stack.digest);
    expect(stack.previewed).toEqual([30]);
  });

  it("counts no more once the program, its configuration or the state has changed", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    await previews.begin(30);
    stack.state = "another";
    await previews.previewAt(30);
    expect(stack.previewed).toEqual([30, 30]);
  });

  it("counts no more while nobody can tell whether anything has changed", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    await previews.begin(30);
    stack.isAway = true;
    await previews.previewAt(30);
    expect(stack.previewed).toEqual([30, 30]);
  });

  it("is no answer to another weight", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    await previews.begin(30);
    await previews.previewAt(100);
    expect(stack.previewed).toEqual([30, 100]);
  });

  it("that has failed is made again, and that one tells why", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    stack.problem = "cluster-b does not answer";
    await previews.begin(30);
    await expect(previews.previewAt(30)).rejects.toThrow("cluster-b does not answer");
    stack.problem = undefined;
    expect(await previews.previewAt(30)).toBe(stack.digest);
  });

  it("that cannot even begin fails nothing", async () => {
    const stack = new FakeStack();
    stack.fingerprint = () => Promise.reject(new Error("the backend does not answer"));
    const previews = new PreviewAhead(stack);
    await previews.begin(30);
    expect(await previews.previewAt(30)).toBe(stack.digest);
  });

  it("does not begin once the rollout has ended", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    const beginning = previews.begin(30);
    previews.stop();
    await beginning;
    await previews.begin(100);
    expect(stack.previewed).toEqual([]);
  });

  it("is ended with the rollout", async () => {
    const stack = new FakeStack();
    const previews = new PreviewAhead(stack);
    await previews.begin(30);
    previews.stop();
    expect(stack.signals.map((signal) => signal?.aborted)).toEqual([true]);
  });
});
