import type { Element } from "hast";
import { s } from "hastscript";
import { figures } from "../gates/verdict.ts";
import type { Judgement } from "../gates/gate.ts";

const WIDTH = 100;
const HEIGHT = 8;

const round = (value: number) => Number(value.toFixed(2));

/**
 * A percentage as a bar of its own scale, from 0 to 100. It says nothing to a screen reader: the number stands beside it.
 *
 * @param kind how it is drawn: a class of the style sheet
 */
export function bar(percent: number, kind: string): Element {
  return s(
    "svg",
    {
      className: ["bar"],
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      ariaHidden: "true",
    },
    [
      s("rect", { className: ["track"], width: WIDTH, height: HEIGHT }),
      s("rect", { className: ["fill", kind], width: round(percent), height: HEIGHT }),
    ],
  );
}

/** How much of the scale lies beyond the limit, at least: an interval must be seen to cross it. */
const BEYOND = 2;
const TALL = 20;

/** Percents that a picture of an interval shows. */
function scaleOf({ low, high, limit, tolerance }: Judgement): readonly [number, number] {
  if (tolerance === undefined) return [0, Math.min(100, Math.max(BEYOND * limit, high * 1.1, 0.1))];
  const reach = BEYOND * tolerance;
  return [Math.max(0, Math.min(low, limit - reach)), Math.min(100, Math.max(high, limit + reach))];
}

/**
 * A gate's interval beside its limit: once all of it is beyond, the gate fails. What counts bad requests is drawn as the share
 * of good ones, as people read it: better is to the right.
 */
export function interval(judgement: Judgement): Element {
  const { value, low, high, limit, tolerance } = judgement;
  const [from, to] = scaleOf(judgement);
  const isGoodShare = tolerance === undefined;
  const x = (percent: number) => {
    const at = ((Math.min(to, Math.max(from, percent)) - from) / (to - from)) * WIDTH;
    return round(isGoodShare ? WIDTH - at : at);
  };
  const [goodFrom, goodTo] = isGoodShare ? [from, limit] : [limit - tolerance, limit + tolerance];
  const words = figures(judgement);
  const box = (name: string, begin: number, end: number, y: number, height: number) =>
    s("rect", {
      className: [name],
      ...{ x: Math.min(x(begin), x(end)), y, height },
      width: round(Math.max(0.8, Math.abs(x(end) - x(begin)))),
    });
  const line = (name: string, at: number) =>
    s("line", { className: [name], x1: x(at), x2: x(at), y1: 0, y2: TALL });
  return s(
    "svg",
    {
      className: ["interval", judgement.outcome],
      viewBox: `0 0 ${WIDTH} ${TALL}`,
      preserveAspectRatio: "none",
      role: "img",
      ariaLabel: `${words.value ?? "no requests"}, interval ${words.interval}, ${words.limit}`,
    },
    [
      box("track", from, to, 6, 8),
      box("allowed", goodFrom, goodTo, 6, 8),
      box("between", low, high, 7.5, 5),
      ...(value === undefined ? [] : [line("value", value)]),
      line("limit", goodTo),
      ...(isGoodShare ? [] : [line("limit", goodFrom)]),
    ],
  );
}
