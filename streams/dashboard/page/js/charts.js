/** Charts, and the one of how many accounts are in danger over time. */

import plots from "../vendor/uplot/uPlot.esm.js";
import { count, time } from "./format.js";
import { store } from "./store.js";
import { colour } from "./theme.js";

/** @typedef {{update: (history: import("./types.js").Counts[]) => void, destroy: () => void}} CountsChart */

/** @type {any} */
export const uPlot = plots;

const WINDOW_S = 600;
const SHORTEST_WINDOW_S = 60;

/**
 * A chart that fits its place, follows the theme and says in words what it shows.
 * @param {HTMLElement} place @param {number} height @param {() => Record<string, any>} options
 */
export function chart(place, height, options) {
  const canvas = document.createElement("div");
  canvas.setAttribute("role", "img");
  place.replaceChildren(canvas);
  /** @type {any} */
  let plot = null;
  /** @type {any[]} */
  let data = [[]];
  const build = () => {
    plot?.destroy();
    plot = new uPlot(
      { ...options(), width: Math.max(120, place.clientWidth), height, legend: { show: false } },
      data,
      canvas,
    );
  };
  const sized = new ResizeObserver(
    () => plot && plot.setSize({ width: Math.max(120, place.clientWidth), height }),
  );
  sized.observe(place);
  const end = store.on(["theme"], () => plot && build());
  return {
    /** @param {any[]} fresh @param {string} words */
    update(fresh, words) {
      data = fresh;
      canvas.setAttribute("aria-label", words);
      if (plot) plot.setData(data);
      else build();
    },
    destroy() {
      end();
      sized.disconnect();
      plot?.destroy();
    },
  };
}

/** @param {(value: number) => string} text @param {Record<string, any>} [more] */
export const axis = (text, more = {}) => ({
  stroke: colour("muted"),
  grid: { stroke: colour("line"), width: 1 },
  ticks: { stroke: colour("line"), width: 1, size: 4 },
  font: "12px system-ui, sans-serif",
  values: (/** @type {any} */ _, /** @type {number[]} */ splits) =>
    splits.map((value) => (value === null ? "" : text(value))),
  ...more,
});

/** Counts by band over the last ten minutes. @param {HTMLElement} place @param {number} height @returns {CountsChart} */
export function countsChart(place, height) {
  const drawn = chart(place, height, () => ({
    cursor: { y: false },
    scales: {
      x: { time: false, range: lately },
      y: {
        range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ top) => [
          0,
          Math.max(4, (top || 0) * 1.1),
        ],
      },
    },
    axes: [
      axis((value) => time(value * 1000), { size: 30, space: 80, incrs: [10, 15, 30, 60, 120] }),
      axis((value) => count(value), {
        size: 56,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5],
      }),
    ],
    series: [
      {},
      {
        label: "at or below 100 %",
        stroke: colour("liquidation-line"),
        width: 2.5,
        fill: colour("liquidation-fill"),
        points: { show: false },
      },
      { label: "warned", stroke: colour("warning-line"), width: 2, dash: [6, 4], points: { show: false } },
    ],
  }));
  return {
    /** @param {import("./types.js").Counts[]} history */
    update(history) {
      const last = history.at(-1);
      const top = Math.max(0, ...history.map((one) => one.liquidation));
      const words = last
        ? `Accounts over the last minutes: at or below 100 % now ${count(last.liquidation)}, at most ${count(top)}; warned now ${count(last.warning)}.`
        : "No counts yet.";
      drawn.update(
        [
          history.map((one) => one.ts / 1000),
          history.map((one) => one.liquidation),
          history.map((one) => one.warning),
        ],
        words,
      );
    },
    destroy: drawn.destroy,
  };
}

/** @param {any} _ @param {number | null} first @param {number | null} last @returns {[number, number]} */
function lately(_, first, last) {
  if (first === null || last === null) return [0, SHORTEST_WINDOW_S];
  return [last - Math.min(WINDOW_S, Math.max(SHORTEST_WINDOW_S, last - first)), last];
}
