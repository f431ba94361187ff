import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { begin, isEnd, report, type TaskOutcome, type State } from "../../../lib/protocol.ts";

/** What a cluster really serves; the protocol only knows what it is told. */
type Live = "old" | "new";

/**
 * The protocol and the world it acts on. A write is on its way while its report is outstanding, and one without
 * an answer until it lands, or until another write takes away the state that it may replace.
 */
interface World {
  readonly protocol: State;
  readonly live: Readonly<Record<string, Live>>;
  /** Clusters in which a write may land though nobody waits for it any more. */
  readonly late: readonly string[];
  readonly everChecked: readonly string[];
}

/** What may come of a task: its report, and what the cluster serves afterwards. */
interface Possibility {
  readonly outcome: TaskOutcome;
  readonly live: Live;
  /** Whether the write may still land afterwards. @default no write is under way, or as before */
  readonly late?: boolean;
}

/** Everything that can happen to a cluster's task: success, refusal, and time-outs with and without effect. */
function possibilities(step: State["step"], live: Live): readonly Possibility[] {
  switch (step) {
    case "checking":
    case "confirming":
      return [
        { outcome: "done", live },
        { outcome: "refused", live },
        { outcome: "unsure", live },
      ];
    case "writing":
      return [
        { outcome: "done", live: "new" },
        { outcome: "refused", live },
        { outcome: "unsure", live, late: true },
        { outcome: "unsure", live: "new" },
      ];
    case "restoring":
      return [
        // A weight that is taken back is written even where it is the old one: no late write may replace that.
        { outcome: "done", live: "old", late: false },
        { outcome: "refused", live },
        { outcome: "unsure", live },
        { outcome: "unsure", live: "old", late: false },
      ];
    case "raised":
    case "refused":
    case "restored":
      return [];
  }
}

function start(clusters: readonly string[], live: World["live"]): World {
  return { protocol: begin(clusters), live, late: [], everChecked: [] };
}

function step(world: World, cluster: string, { outcome, live, late }: Possibility): World {
  const checked = world.protocol.step === "checking" && outcome === "done" ? [cluster] : [];
  return {
    protocol: report(world.protocol, cluster, outcome),
    live: { ...world.live, [cluster]: live },
    late:
      late === undefined
        ? world.late
        : late
          ? [...world.late, cluster]
          : without(world.late, cluster),
    everChecked: [...world.everChecked, ...checked],
  };
}

const without = (clusters: readonly string[], cluster: string) =>
  clusters.filter((each) => each !== cluster);

/** All worlds in which one more late write has landed. */
function landings(world: World): readonly World[] {
  return world.late.map((cluster) => ({
    ...world,
    live: { ...world.live, [cluster]: "new" },
    late: without(world.late, cluster),
  }));
}

/** All worlds that can follow from a report, for each awaited cluster and each possibility. */
function reports(world: World): readonly World[] {
  return world.protocol.awaited.flatMap((cluster) =>
    possibilities(world.protocol.step, world.live[cluster] ?? "old").map((possibility) =>
      step(world, cluster, possibility),
    ),
  );
}

/** All worlds that can follow. */
const successors = (world: World) => [...reports(world), ...landings(world)];

/** What must hold whenever anybody looks. */
function check({ protocol, live, everChecked }: World): void {
  const clusters = Object.keys(live);
  const is = (wanted: Live) => clusters.filter((cluster) => live[cluster] === wanted);
  if (everChecked.length < clusters.length) {
    expect(is("new"), "nothing is raised before all checks have passed").toEqual([]);
  }
  for (const cluster of clusters) {
    const place = protocol.places[cluster];
    if (place === "old" || place === "new") {
      const writing = protocol.step === "writing" && protocol.awaited.includes(cluster);
      expect(writing || live[cluster] === place, `${cluster} is where it is said to be`).toBe(true);
    }
  }
  switch (protocol.step) {
    case "raised":
      expect(is("new")).toEqual(clusters);
      break;
    case "refused":
      expect(is("old")).toEqual(clusters);
      break;
    case "restored": {
      const known = clusters.filter((cluster) => protocol.places[cluster] !== "lost");
      expect(is("old")).toEqual(expect.arrayContaining(known));
      break;
    }
    default:
      expect(protocol.awaited, "there is always somebody to wait for").not.toEqual([]);
  }
}

const key = (world: World) => JSON.stringify(world);

/** Every world that can come about. */
function explore(clusters: readonly string[]): readonly World[] {
  const begun = start(clusters, Object.fromEntries(clusters.map((cluster) => [cluster, "old"])));
  const seen = new Map([[key(begun), begun]]);
  for (const world of seen.values()) {
    for (const next of successors(world)) seen.set(key(next), next);
  }
  return [...seen.values()];
}

/** What the world may be when the program dies: writes on their way arrive or not. */
function crashes({ protocol, live }: World): readonly World["live"][] {
  const underWay =
    protocol.step === "writing" || protocol.step === "restoring" ? protocol.awaited : [];
  const arriving: Live = protocol.step === "writing" ? "new" : "old";
  return underWay.reduce<readonly World["live"][]>(
    (lives, cluster) => lives.flatMap((each) => [each, { ...each, [cluster]: arriving }]),
    [live],
  );
}

/** A run in which nothing fails. */
function runThrough(world: World): World {
  let now = world;
  while (!isEnd(now.protocol.step)) {
    const [cluster = ""] = now.protocol.awaited;
    const [success] = possibilities(now.protocol.step, now.live[cluster] ?? "old");
    if (!success) throw new Error("nothing can happen");
    now = step(now, cluster, success);
  }
  return now;
}

describe.each([{ clusters: ["a", "b"] }, { clusters: ["a", "b", "c"] }])(
  "the protocol over $clusters",
  ({ clusters }) => {
    const worlds = explore(clusters);

    it("keeps its promises in every state of every interleaving", () => {
      expect(worlds.length).toBeGreaterThan(clusters.length === 2 ? 80 : 500);
      for (const world of worlds) check(world);
    });

    it("comes to each of its ends, and to no state from which nothing follows", () => {
      const ends = new Set(worlds.map(({ protocol }) => protocol.step).filter(isEnd));
      expect([...ends].sort()).toEqual(["raised", "refused", "restored"]);
      for (const world of worlds) {
        expect(isEnd(world.protocol.step)).toBe(reports(world).length === 0);
      }
    });

    it("leaves clusters that differ only where one is named as lost", () => {
      for (const { protocol, live } of worlds.filter(({ protocol }) => isEnd(protocol.step))) {
        const differ = new Set(Object.values(live)).size > 1;
        expect(differ && !Object.values(protocol.places).includes("lost")).toBe(false);
      }
    });

    it("is completed by the next run wherever the program dies", () => {
      for (const live of worlds.flatMap(crashes)) {
        const again = runThrough(start(clusters, live));
        expect(again.protocol.step).toBe("raised");
        expect(Object.values(again.live)).toEqual(clusters.map(() => "new"));
      }
    });

    it("refuses a report that nobody waits for", () => {
      for (const { protocol } of worlds) {
        for (const cluster of clusters.filter((each) => !protocol.awaited.includes(each))) {
          expect(() => report(protocol, cluster, "done")).toThrow("no report");
        }
      }
    });
  },
);

describe("the protocol over any number of clusters", () => {
  it("keeps its promises in random runs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.infiniteStream(fc.nat()), (size, choices) => {
        const clusters = Array.from({ length: size }, (_, i) => `cluster-${i}`);
        let world = start(
          clusters,
          Object.fromEntries(clusters.map((cluster) => [cluster, "old"])),
        );
        while (!isEnd(world.protocol.step)) {
          const following = successors(world);
          // Half of the steps succeed, or long runs would hardly ever get beyond the checks.
          const choice = choices.next().value as number;
          const next = choice % 2 === 0 ? following[0] : following[choice % following.length];
          if (!next) throw new Error(`nothing follows ${world.protocol.step}`);
          world = next;
          check(world);
        }
      }),
      { numRuns: 2000, seed: 20_261_124 },
    );
  });
});
