/**
 * Draws charts as SVG text, with Apache ECharts: no screen and no script is needed to
 * look at them, and equal data gives equal bytes.
 */
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import type { EChartsCoreOption } from "echarts/core";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { hashHex, hashText } from "../../base/hash.ts";
import type { GanttBar, HourWindow, Point } from "./series.ts";

use([BarChart, CustomChart, LineChart, GridComponent, LegendComponent, SVGRenderer]);

/** Colours that people with colour blindness can tell apart (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const WIDTH = 900;
const HEIGHT = 300;

/** One axis. */
export interface Axis {
  readonly name: string;
  readonly isLog?: boolean;
  readonly max?: number;
}

/** Values under a name. */
export interface Named<T> {
  readonly name: string;
  readonly values: readonly T[];
}

/** Returns lines over numbers. */
export const lineChart = (x: Axis, y: Axis, lines: readonly Named<Point>[]): string =>
  draw({
    xAxis: axis(x, "middle"),
    yAxis: axis(y, "end"),
    series: lines.map(({ name, values }) => ({
      type: "line",
      name,
      data: values,
      showSymbol: false,
      lineStyle: { width: 1.5 },
    })),
  });

/** Returns bars in groups. */
export const barChart = (categories: readonly string[], y: Axis, groups: readonly Named<number>[]): string =>
  draw({
    xAxis: { type: "category", data: categories },
    yAxis: axis(y, "end"),
    series: groups.map(({ name, values }) => ({ type: "bar", name, data: values })),
  });

/** Returns which nodes each job had, over time. */
export const ganttChart = (bars: readonly GanttBar[], { from, to }: HourWindow, nodes: number): string =>
  draw({
    xAxis: { ...axis({ name: "hours" }, "middle"), min: from, max: to },
    yAxis: { ...axis({ name: "nodes", max: nodes }, "end"), min: 0 },
    series: [false, true].map((isOvertaking) => ({
      type: "custom",
      name: isOvertaking ? "backfilled" : "in turn",
      renderItem: drawBar,
      encode: { x: [0, 1], y: [2, 3] },
      data: bars
        .filter(({ hasOvertaken }) => hasOvertaken === isOvertaking)
        .map((bar) => [bar.from, bar.to, bar.firstNode, bar.firstNode + bar.nodes]),
    })),
  });

interface DrawingApi {
  readonly value: (dimension: number) => number | string;
  readonly coord: (point: readonly number[]) => readonly number[];
  readonly visual: (name: string) => unknown;
}

function drawBar(_params: unknown, api: DrawingApi) {
  const [x0 = 0, y0 = 0] = api.coord([Number(api.value(0)), Number(api.value(2))]);
  const [x1 = 0, y1 = 0] = api.coord([Number(api.value(1)), Number(api.value(3))]);
  const shape = { x: x0, y: y1, width: Math.max(0.5, x1 - x0), height: Math.max(0.5, y0 - y1) };
  return { type: "rect", shape, style: { fill: api.visual("color"), stroke: "#ffffff", lineWidth: 0.3 } };
}

const axis = ({ name, isLog, max }: Axis, nameLocation: string): Record<string, unknown> => ({
  type: isLog ? "log" : "value",
  name,
  nameLocation,
  nameGap: nameLocation === "middle" ? 28 : 12,
  ...(max !== undefined && { max }),
});

function draw(option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    color: COLOURS,
    textStyle: { fontFamily: "system-ui, sans-serif" },
    legend: { top: 0, itemGap: 28, icon: "roundRect" },
    grid: { left: 64, right: 24, top: 48, bottom: 44 },
    ...option,
  });
  const svg = chart.renderToSVGString({ useViewBox: true });
  chart.dispose();
  return withOwnNames(svg);
}

/**
 * The library numbers its charts and styles within the process. Names made from what the
 * chart shows are equal for equal charts, and apart from those of others on the page.
 */
function withOwnNames(svg: string): string {
  const names = new Map<string, string>();
  const numbered = svg.replace(/zr\d+-(?:cls-)?[a-z]*\d+/g, (name) => {
    const known = names.get(name) ?? `c@-${names.size}`;
    names.set(name, known);
    return known;
  });
  return numbered.replaceAll("c@-", `c${hashHex(hashText(numbered)).slice(0, 8)}-`);
}
