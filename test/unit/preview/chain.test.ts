import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderPreview } from "../../../preview/markdown.ts";
import { chainSteps, digest, stackStep, type ChainService } from "../../helpers/preview.ts";

const options = { stack: "prod", now: new Date("2026-11-24T12:00:00Z") };
const everywhere = (weight: number) => () => weight;

function service(name: string, weight: ChainService["weight"] = everywhere(0)) {
  return { name, stable: "v1", canary: "v2", weight };
}
/** Services of which the last one has no canary, at a weight. */
function chain(names: readonly string[], weight: ChainService["weight"]): readonly ChainService[] {
  return names.map((name, i) => {
    const { canary, ...only } = service(name, weight);
    return i > 0 && i === names.length - 1 ? only : { ...only, canary };
  });
}
const changed = (before: readonly ChainService[], after: readonly ChainService[]) =>
  chainSteps(before.map((old, i) => [old, after[i]]));
const text = (steps: readonly unknown[], more: Parameters<typeof digest>[1] = {}) =>
  renderPreview(digest(steps, more), options);

const three = ["front", "orders", "users"];
const twenty = [
  ...["front", "front-mobile"],
  ...Array.from({ length: 18 }, (_, i) => `service-${String(i + 1).padStart(2, "0")}`),
];
const rise = (names: readonly string[]) =>
  changed(chain(names, everywhere(10)), chain(names, everywhere(30)));
const golden = (name: string) => new URL(`golden/${name}.md`, import.meta.url).pathname;

describe("a preview of a chain", () => {
  it.each([
    ["chain", rise(three)],
    ["chain-of-20", rise(twenty)],
    [
      "chain-promoted",
      changed(
        chain(three, everywhere(100)),
        three.map((name, i) => ({ name, stable: i < 2 ? "v2" : "v1", weight: everywhere(0) })),
      ),
    ],
  ])("is as stored for %s", async (name, steps) => {
    await expect(text(steps)).toMatchFileSnapshot(golden(name));
  });

  it("is what the documentation shows", () => {
    const docs = readFileSync(new URL("../../../docs/previews.md", import.meta.url), "utf8");
    const [part = "nothing"] = /### Chain[^]*?(?=\n+### )/.exec(text(rise(three))) ?? [];
    expect(docs).toContain(part);
  });

  it("is the same in whatever order the engine has told its steps", () => {
    const steps = rise(twenty);
    const expected = text(steps);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(steps, { minLength: steps.length }),
        (shuffled) => text(shuffled) === expected,
      ),
      { numRuns: 20 },
    );
  });

  it("tells clusters apart in which the entry has another weight, and a follower with it", () => {
    const quarantine = (weight: number) => (cluster: string) =>
      cluster === "cluster-b" ? 0 : weight;
    const steps = changed(chain(three, quarantine(10)), chain(three, quarantine(30)));
    const found = text(steps, { config: { "istio-canary:quarantine": '["cluster-b"]' } });
    const shares = "| 10 % (cluster-b: 0 %) | **30 % (cluster-b: 0 %)** |";
    expect(found).toContain(
      `| \`shop/front\` | entry | v1 | v2 | cluster-a, cluster-b | ${shares.slice(2)}`,
    );
    expect(found).toContain(
      `| \`shop/orders\` | follower | v1 | v2 | cluster-a, cluster-b | ${shares.slice(2)}`,
    );
    expect(found).toContain('requests -- "70 % (cluster-b: 100 %)" --> stable0');
    expect(found).toContain('requests -- "30 % (cluster-b: 0 %), marked" --> canary0');
    expect(found).not.toContain("different");
  });

  it("warns of a skipped phase and of different shares once, at the entry", () => {
    const uneven = (cluster: string) => (cluster === "cluster-a" ? 100 : 30);
    const found = text(changed(chain(three, everywhere(10)), chain(three, uneven)));
    expect(found.match(/^- .*$/gm)?.slice(0, 2)).toEqual([
      "- `shop/front` v2 **skips a phase** in cluster-a: it goes from 10 % to 100 %, past 30 %.",
      "- `shop/front` has **different shares**: v1 0 % / v2 100 % in cluster-a and v1 70 % / v2 30 % in cluster-b.",
    ]);
  });

  it("warns of a follower that has other versions in one cluster", () => {
    const [front, orders] = chain(["front", "orders", "users"], everywhere(10));
    if (!front || !orders) throw new Error("the fixture is wrong");
    const steps = chainSteps([
      [front, front],
      [orders, orders],
    ]).map((each) => JSON.parse(JSON.stringify(each).replaceAll("v2", "v3")) as unknown);
    const others = chainSteps([
      [front, front],
      [orders, orders],
    ]);
    const found = text([...others.slice(0, 2), ...steps.slice(2)]);
    expect(found).toContain(
      "- `shop/orders` has **different versions**: v1 / v2 in cluster-a and v1 / v3 in cluster-b.",
    );
    expect(found).toContain("| v2 (cluster-b: v3) |");
  });

  it("takes roles from the config where the preview leaves out what does not change", () => {
    const shares = { "shop/front": { v1: 90, v2: 10 }, "shop/orders": { v1: 90, v2: 10 } };
    const outputs = {
      clusters: { "cluster-a": { traffic: shares }, "cluster-b": { traffic: shares } },
    };
    const config = { "istio-canary:chain": '{"entries":["shop/front"]}' };
    const steps = changed(chain(["front"], everywhere(10)), chain(["front"], everywhere(30)));
    const found = text([stackStep(outputs), ...steps], { config });
    expect(found).toContain(
      "| `shop/orders` | follower | v1 | v2 | cluster-a, cluster-b | 10 % | **30 %** |",
    );
  });

  it("says nothing of a chain where there is none, or where the preview has failed", () => {
    const diagnostics = [{ severity: "error", message: "no weight 25" }];
    expect(text(rise(three), { diagnostics })).not.toContain("### Chain");
    expect(text([])).not.toContain("### Chain");
  });

  it("shows a name as text in the diagram, whatever is in it", () => {
    const odd = changed([], []).concat(
      chainSteps([[undefined, service('front"]; x["`', everywhere(0))]]),
    );
    const [, diagram = ""] = /```mermaid\n([\s\S]*?)\n```/.exec(text(odd)) ?? [];
    expect(diagram).toContain('stable0["shop/front#34;#93;#59; x#91;#34;#96; v1"]');
  });
});
