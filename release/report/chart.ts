import { LineChart, type LineSeriesOption } from "echarts/charts";
import {
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
} from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { fromHtml } from "hast-util-from-html";
import type { Element, ElementContent, Properties } from "hast";
import { s } from "hastscript";

use([LineChart, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, SVGRenderer]);

/** One line of a chart. Roles and styles differ in more than their colour. */
export interface ChartLine {
  readonly name: string;
  /** What the legend calls it, once for all lines that share it. @default its name */
  readonly legend?: string;
  readonly role: "canary" | "stable";
  /** step: holds each value until the next. minor: less important than the role's other line. */
  readonly style: "main" | "minor" | "step";
  readonly points: readonly (readonly [number, number])[];
}

/** A line chart over time; all times in milliseconds since 1970. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly from: number;
  readonly to: number;
  /** Points that are farther apart than twice this are not connected. */
  readonly stepMs: number;
  readonly unit: "%" | "ms";
  /** The axis ends there, or at the highest value if that is more. */
  readonly top: number;
  readonly lines: readonly ChartLine[];
  readonly bands: readonly { readonly from: number; readonly to: number; readonly label: string }[];
  readonly marks: readonly { readonly at: number; readonly label: string }[];
}

const WIDTH = 600;
const HEIGHT = 290;
/** A line carries so many symbols. */
const SYMBOLS = 12;
/** Shares are sums of fractions, which may exceed the whole by so much. */
const ROUNDING = 1.001;
/** What the legend shows for steps, whose line has no symbols. */
const STEP_ICON = "path://M0 6h13v2h-13zM16 6h3v2h-3zM22 6h14v2h-14z";
const SHORT_MS = 10 * 60_000;
const LONG_MS = 24 * 3_600_000;

/** Draws a chart as SVG, in colours that the page's style sheet sets. */
export function chartSvg(chart: Chart): Element {
  const drawing = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  try {
    drawing.setOption(optionOf(chart));
    const [svg] = fromHtml(drawing.renderToSVGString(), { fragment: true, space: "svg" }).children;
    if (svg?.type !== "element") throw new Error(`${chart.title} was not drawn`);
    return described(svg, chart);
  } finally {
    drawing.dispose();
  }
}

function optionOf(chart: Chart) {
  const { from, to, unit, top, lines } = chart;
  const highest = Math.max(0, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const label = { color: "var(--text)", fontSize: 13 };
  return {
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 56, right: 18, top: 48, bottom: 74, outerBoundsMode: "none" },
    legend: {
      bottom: 0,
      selectedMode: false,
      backgroundColor: "transparent",
      borderColor: "transparent",
      itemWidth: 36,
      itemGap: 28,
      data: legendItems(lines),
      textStyle: label,
    },
    xAxis: {
      type: "time",
      min: from,
      max: to,
      name: "UTC",
      nameLocation: "middle",
      nameGap: 24,
      nameTextStyle: label,
      splitNumber: 5,
      splitLine: { show: false },
      axisLine: { onZero: false, lineStyle: { color: "var(--line)" } },
      axisTick: { lineStyle: { color: "var(--line)" } },
      axisLabel: {
        ...label,
        hideOverlap: true,
        formatter: (ms: number) => tick(ms, to - from),
      },
    },
    yAxis: {
      type: "value",
      min: 0,
      // Without an end of its own it ends at a round number.
      ...(highest <= top * ROUNDING && { max: top }),
      splitLine: { lineStyle: { color: "var(--grid)" } },
      axisLabel: {
        ...label,
        formatter: (value: number) => `${Number(value.toFixed(2))} ${unit}`,
      },
    },
    series: [frame(chart), ...lines.map((line) => series(line, chart))],
  };
}

/** Phases as bands, events as vertical lines. */
function frame({ bands, marks, from }: Chart): LineSeriesOption {
  return {
    type: "line",
    silent: true,
    symbol: "none",
    color: "var(--line)",
    data: [[from, null]],
    markArea: {
      silent: true,
      data: bands.map((band, i) => [
        {
          name: band.label,
          xAxis: band.from,
          itemStyle: { color: i % 2 === 0 ? "var(--band)" : "var(--band-other)" },
          label: {
            position: "top",
            distance: 22,
            color: "var(--text)",
            fontSize: 13,
            textBorderWidth: 0,
          },
        },
        { xAxis: band.to },
      ]),
    },
    markLine: {
      silent: true,
      symbol: "none",
      data: marks.map(({ at, label }) => ({
        xAxis: at,
        lineStyle: { color: "var(--text)", type: "solid", width: 1 },
        label: {
          formatter: label,
          position: "end",
          color: "var(--text)",
          fontSize: 13,
          fontWeight: "bold",
          textBorderWidth: 0,
        },
      })),
    },
  };
}

function series(line: ChartLine, { stepMs }: Chart): LineSeriesOption {
  const { role, style, points } = line;
  const color = `var(--${style === "step" ? "weight" : role})`;
  const every = Math.max(1, Math.ceil(points.length / SYMBOLS));
  const symbol = style === "step" ? "none" : role === "canary" ? "triangle" : "circle";
  const dashes = { main: role === "canary" ? "solid" : [8, 4], minor: [2, 4], step: [12, 3, 2, 3] };
  return {
    name: legendOf(line),
    type: "line",
    silent: true,
    symbol,
    symbolSize: 8,
    showAllSymbol: true,
    ...(style === "step" && { step: "end" }),
    color,
    itemStyle: { color },
    lineStyle: { color, width: style === "main" ? 2.5 : 2, type: dashes[style] as "solid" },
    data: points.flatMap((point, i) => {
      const before = points[i - 1];
      const gap = style !== "step" && before && point[0] - before[0] > 2 * stepMs;
      const item = { value: [...point], symbol: i % every === 0 ? symbol : "none" };
      return gap ? [[before[0] + stepMs, null as unknown as number], item] : [item];
    }),
  };
}

const legendOf = ({ legend, name }: ChartLine) => legend ?? name;

function legendItems(lines: readonly ChartLine[]) {
  const items = new Map(lines.map((line) => [legendOf(line), line.style]));
  return [...items].map(([name, style]) => ({
    name,
    ...(style === "step" && { icon: STEP_ICON }),
  }));
}

function tick(ms: number, wholeMs: number): string {
  const iso = new Date(ms).toISOString();
  if (wholeMs < SHORT_MS) return iso.slice(11, 19);
  return wholeMs < LONG_MS ? iso.slice(11, 16) : `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
}

/** The SVG with a name and a description, and without what is only for scripts and pointers. */
function described(svg: Element, { id, title, description }: Chart): Element {
  const drawn = plain(svg);
  return {
    ...drawn,
    properties: {
      viewBox: svg.properties.viewBox ?? `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      ariaLabelledBy: [`${id}-title`],
      ariaDescribedBy: [`${id}-description`],
    },
    children: [
      s("title", { id: `${id}-title` }, title),
      s("desc", { id: `${id}-description` }, description),
      ...drawn.children,
    ],
  };
}

function plain(element: Element): Element {
  const properties: Properties = {};
  for (const [name, value] of Object.entries(element.properties)) {
    if (name === "className" || name === "pointerEvents" || /^ecmeta/i.test(name)) continue;
    Object.assign(properties, name === "style" ? attributes(String(value)) : { [name]: value });
  }
  const children = element.children.flatMap((child): ElementContent[] => {
    if (child.type !== "element") return [child];
    return child.tagName === "style" ? [] : [plain(child)];
  });
  return { ...element, properties, children };
}

/** Styles as the attributes that SVG has for them: a page may forbid styles in attributes. */
function attributes(style: string): Properties {
  const declarations = style.split(";").map((declaration) => declaration.split(":"));
  return Object.fromEntries(
    declarations.flatMap(([name = "", value = ""]) =>
      value === "" ? [] : [[name.trim(), value.trim()]],
    ),
  );
}
