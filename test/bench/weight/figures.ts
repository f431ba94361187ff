import { max, median, min } from "simple-statistics";

import { MARKS, type Mark, type Marks } from "./marks.ts";

/** A weight that came into force, in seconds. */
export interface Switch {
  /** From the start of the command until the last Envoy of all clusters took over the new route table. */
  readonly inForce: number;
  /** From the last Envoy of the first cluster to the last Envoy of the last one. */
  readonly skew: number;
}

/** A command that has changed a weight. */
export interface Change extends Switch {
  /** From its start to its end, in seconds. */
  readonly ends: number;
  readonly marks: Marks;
}

/** A weight that has risen and fallen again. */
interface Both<T> {
  readonly raise: T;
  readonly lower: T;
}

/** What one round has measured, one command after the other. */
export interface Round {
  /** `kubectl patch` in all clusters at once: nothing that changes a weight can be faster. */
  readonly floor: Both<Switch>;
  /** `pulumi up` of the stack that has installed the mesh. */
  readonly mesh: Both<Change>;
  /** `pulumi up` of a stack with `meshStack`. */
  readonly release: Both<Change>;
  /** `pulumi up` of a program that does nothing. */
  readonly empty: Pick<Change, "ends" | "marks">;
  /** The first raise of `release rollout`; `ends` is when it says so. @default not measured */
  readonly rollout?: Change;
}

/** The least, the middle and the greatest of a figure's values. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws if there are no values */
export function spread(values: readonly number[]): Spread {
  const all = [...values];
  return { min: min(all), median: median(all), max: max(all) };
}

/** One line of the result. */
export interface Figure extends Spread {
  readonly command: string;
  readonly what: "in force" | "ends" | "skew";
  /** Median of what it takes more than the empty program of the same round. @default not compared */
  readonly overEmpty?: number;
  /** Median of how many times the floor of the same round it takes. @default not compared */
  readonly timesFloor?: number;
}

type Direction = keyof Both<unknown>;

interface Command {
  readonly name: string;
  /** The floor that it is compared with. @default it changes no weight */
  readonly direction?: Direction;
  readonly of: (round: Round) => Partial<Change> | undefined;
}

/** The commands that a result is about, in its order. */
function commands(weight: number): readonly Command[] {
  const both = (name: string, of: (round: Round) => Both<Partial<Change>>): readonly Command[] => [
    { name: `${name}, 0 → ${weight}`, direction: "raise", of: (round) => of(round).raise },
    { name: `${name}, ${weight} → 0`, direction: "lower", of: (round) => of(round).lower },
  ];
  return [
    ...both("kubectl patch in parallel", ({ floor }) => floor),
    { name: "pulumi up, empty program", of: ({ empty }) => empty },
    ...both("pulumi up, mesh's stack", ({ mesh }) => mesh),
    ...both("pulumi up, release stack", ({ release }) => release),
    {
      name: `release rollout, 0 → ${weight}`,
      direction: "raise",
      of: ({ rollout }) => rollout,
    },
  ];
}

/**
 * All figures over the rounds. What is compared is compared within a round, so that other work on the
 * machine, which comes and goes, weighs on both.
 */
export function figuresOf(rounds: readonly Round[], weight: number): readonly Figure[] {
  return commands(weight).flatMap(({ name, direction, of }) =>
    (["in force", "ends", "skew"] as const).flatMap((what): Figure[] => {
      const key = what === "in force" ? "inForce" : what;
      const seen = rounds.flatMap((round) => {
        const value = of(round)?.[key];
        return value === undefined ? [] : [{ round, value }];
      });
      if (seen.length === 0) return [];
      const figure = { command: name, what, ...spread(seen.map(({ value }) => value)) };
      if (what === "skew" || direction === undefined) return [figure];
      return [
        {
          ...figure,
          overEmpty: median(seen.map(({ round, value }) => value - round.empty.ends)),
          timesFloor: median(
            seen.map(({ round, value }) => value / round.floor[direction].inForce),
          ),
        },
      ];
    }),
  );
}

/** When something happens in each command, the median in seconds since its start. */
export interface MarkRow {
  readonly mark: string;
  /** By command; those in which it does not happen are left out. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Where the time of each `pulumi up` goes. */
export function markRows(rounds: readonly Round[], weight: number): readonly MarkRow[] {
  const watched = commands(weight).filter(({ of }) => rounds.some((round) => of(round)?.marks));
  return Object.entries(MARKS).map(([key, mark]) => ({
    mark,
    seconds: Object.fromEntries(
      watched.flatMap(({ name, of }) => {
        const values = rounds.flatMap((round) => of(round)?.marks?.[key as Mark] ?? []);
        return values.length === 0 ? [] : [[name, median(values)] as const];
      }),
    ),
  }));
}
