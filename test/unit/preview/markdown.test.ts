import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDigest } from "../../../preview/digest.ts";
import { MAX_LENGTH, renderFailure, renderPreview } from "../../../preview/markdown.ts";
import { digest, object, stackStep, step, weightStep } from "../../helpers/preview.ts";

const options = { stack: "prod", now: new Date("2026-11-24T12:00:00Z") };
const golden = (name: string) => new URL(`golden/${name}`, import.meta.url);
const stored = (name: string) => readFileSync(golden(`${name}.json`), "utf8");

/** A Deployment of which one property changes. */
const changed = (name: string, property: string, old: unknown, next: unknown) =>
  step({
    op: "update",
    type: "kubernetes:apps/v1:Deployment",
    name,
    cluster: "cluster-a",
    old: object("user", name, { [property]: old }),
    new: object("user", name, { [property]: next }),
    diff: { [`spec.${property}`]: true },
  });
const line = (old: unknown, next: unknown) =>
  renderPreview(digest([changed("d", "x", old, next)]), options)
    .split("\n")
    .find((text) => text.includes("`spec.x`"));

// `weight` and `create` are what `pulumi preview --json --show-sames` has printed, without what nothing
// reads: code, Helm values, positions in sources. `everything` is made up of all there can be.
describe("a preview as Markdown", () => {
  it.each(["weight", "create", "everything"])("is as stored for %s", async (name) => {
    const text = renderPreview(parseDigest(stored(name)), options);
    await expect(text).toMatchFileSnapshot(golden(`${name}.md`).pathname);
  });

  it("is what the documentation shows", () => {
    const docs = readFileSync(new URL("../../../docs/previews.md", import.meta.url), "utf8");
    expect(docs).toContain(renderPreview(parseDigest(stored("weight")), options));
  });

  it("is the same in whatever order the engine has told its steps", () => {
    const { steps, ...rest } = parseDigest(stored("everything"));
    const expected = renderPreview({ steps, ...rest }, options);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(steps, { minLength: steps.length }),
        (shuffled) => renderPreview({ steps: shuffled, ...rest }, options) === expected,
      ),
      { numRuns: 50 },
    );
  });

  it("begins with a hidden line that names the stack, also when there was no preview", () => {
    const first = "<!-- istio-canary preview of stack prod -->";
    expect(renderPreview(digest([]), options).split("\n")[0]).toBe(first);
    expect(renderFailure("prod").split("\n")[0]).toBe(first);
  });

  it("says that nothing changes", () => {
    expect(renderPreview(digest([]), options)).toContain("\nNo resource changes.\n");
  });

  it("says that it failed, and what Pulumi says, as it stands", () => {
    const message = "\u001b[31merror\u001b[0m: <b>bad</b>\n```\nline @all\n```";
    const text = renderPreview(
      digest([], { diagnostics: [{ severity: "error", message }] }),
      options,
    );
    expect(text).toContain("## Preview of stack `prod` failed\n");
    expect(text).toContain("````text\nerror: <b>bad</b>\n```\nline @all\n```\n````\n");
    expect(renderPreview(digest([]), { ...options, failed: true })).toContain("failed\n");
    expect(text).not.toContain("No resource changes");
  });

  it("says nothing of the traffic when it failed, since it may have stopped before the weights", () => {
    const outputs = {
      clusters: { "cluster-a": { traffic: { "user/user-service": { v1: 100 } } } },
    };
    const diagnostics = [{ severity: "error", message: "no weight 25" }];
    const text = renderPreview(digest([stackStep(outputs)], { diagnostics }), options);
    expect(text).not.toContain("Traffic");
    expect(renderPreview(digest([stackStep(outputs)]), options)).toContain("Traffic");
  });

  it("cuts what Pulumi says before it takes the place of all else", () => {
    const diagnostics = [{ severity: "error", message: "e".repeat(100_000) }];
    const steps = [changed("d", "x", 1, 2)];
    const text = renderPreview(digest(steps, { diagnostics }), options);
    expect(text).toContain("\n```text\neeee");
    expect(text).toContain("eeee…\n```\n");
    expect(text).toContain("`spec.x`: `1` → `2`");
    expect(text).not.toContain("left out");
  });

  it("passes on what Pulumi warns of, once, but nothing that is only for information", () => {
    const diagnostics = ["warning", "warning", "info", "info#err"].map((severity) => ({
      severity,
      message: `this is ${severity}\n`,
    }));
    const text = renderPreview(digest([], { diagnostics }), options);
    expect(text).toContain("```text\nthis is warning\n```");
    expect(text).not.toContain("info");
  });

  it("leaves out the mark by which Pulumi sees what a cluster has, unless that is all there is", () => {
    const route = (generation: number, weight: number) => ({
      metadata: {
        name: "user-service",
        namespace: "user",
        annotations: { "istio-canary/replaces": `generation ${generation}` },
      },
      spec: { http: [{ weight }] },
    });
    const marked = (diff: readonly string[]) =>
      renderPreview(
        digest([
          step({
            op: "update",
            type: "kubernetes:networking.istio.io/v1:VirtualService",
            name: "user-service.user-route-cluster-a-weights",
            cluster: "cluster-a",
            old: route(3, 10),
            new: route(7, 30),
            diff: Object.fromEntries(diff.map((path) => [path, true])),
          }),
        ]),
        options,
      );
    const mark = 'metadata.annotations["istio-canary/replaces"]';
    expect(marked([mark, "spec.http[0].weight"])).not.toContain("generation");
    expect(marked([mark, "spec.http[0].weight"])).toContain("`spec.http[0].weight`: `10` → `30`");
    expect(marked([mark])).toContain(
      "- **change** VirtualService `user/user-service`\n  - the cluster differs from Pulumi's state\n",
    );
  });

  it("shows values in one line each, whatever is in them", () => {
    expect(line("a\nb", "c`d")).toBe("  - `spec.x`: `a\\nb` → `` c`d ``");
    expect(line(undefined, { b: [1, "2"] })).toBe('  - `spec.x`: none → `{"b":[1,"2"]}`');
    expect(line(1, "04da6b54-80e4-46f7-96ec-b56ff0331ba9")).toBe(
      "  - `spec.x`: `1` → `known after the update`",
    );
  });

  it("shows of long values the part that differs", () => {
    const [before, after] = [`${"x".repeat(5000)}old`, `${"x".repeat(5000)}new`];
    const text = line(before, after) ?? "";
    expect(text).toMatch(/: `…x+old` → `…x+new`$/);
    expect(text.length).toBeLessThan(300);
    expect(line("a".repeat(5000), "b")).toMatch(/: `a{120}…` → `b`$/);
  });

  it("keeps cells of tables apart", () => {
    const text = renderPreview(digest([weightStep("a|b", undefined, { v1: 100 })]), options);
    expect(text).toContain("| `user/user-service` | a\\|b | v1 | none | **100 %** |");
  });

  it("is never too long for a comment, says so, and keeps what matters most", () => {
    const many = Array.from({ length: 2000 }, (_, i) =>
      changed(`deployment-${i}`, "x", "o".repeat(100), "n".repeat(100)),
    );
    const weights = weightStep("cluster-b", { v1: 100, v2: 0 }, { v1: 0, v2: 100 });
    const text = renderPreview(digest([...many, weights]), options);
    expect(text.length).toBeLessThan(MAX_LENGTH);
    expect(text.length).toBeGreaterThan(MAX_LENGTH - 1000);
    expect(text).toContain("skips a phase");
    expect(text).toContain("| `user/user-service` | cluster-b | v2 | 0 % | **100 %** |");
    expect(text).toMatch(
      /\n\*\*\d+ lines are left out\*\*, since a comment holds no more\. All of them: `pulumi preview --diff --stack prod`\.\n$/,
    );
    // What is left ends with a whole line.
    expect(text.split("\n").at(-4)).toMatch(/^( {2})?- .*`$/);
  });

  it("is not cut when it just fits", () => {
    expect(renderPreview(digest([changed("d", "x", 1, 2)]), options)).not.toContain("left out");
  });
});
