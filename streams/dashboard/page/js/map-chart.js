/** The chart of the liquidation map. */

import { axis, chart, uPlot } from "./charts.js";
import { chosen, count, plural, price, short } from "./format.js";
import { colour } from "./theme.js";

/** @typedef {import("./bins.js").Bin} Bin */

const HEIGHT = 250;

/**
 * Accounts and notional that cross one level, over price: longs upward, shorts downward.
 * @param {HTMLElement} place @param {HTMLElement} told where the bar under the pointer is read out
 * @param {"level1" | "level3"} level
 */
export function mapChart(place, told, level) {
  /** @type {any} */
  let map = null;
  /** @type {Bin[]} */
  let bins = [];
  const bars = uPlot.paths.bars({ size: [0.86, 60], align: 0 });
  const drawn = chart(place, HEIGHT, () => ({
    cursor: { y: false, points: { show: false } },
    scales: { x: { time: false, range: whole }, y: { range: symmetric } },
    axes: [
      axis((value) => price(value), { size: 30, space: 70 }),
      axis((value) => short(Math.abs(value)), { size: 64 }),
    ],
    series: [
      {},
      {
        label: "long",
        stroke: colour("long"),
        fill: colour("long"),
        width: 0,
        paths: bars,
        points: { show: false },
      },
      {
        label: "short",
        stroke: colour("short"),
        fill: colour("short"),
        width: 0,
        paths: bars,
        points: { show: false },
      },
    ],
    hooks: {
      draw: [(/** @type {any} */ plot) => map && drawNow(plot, Number(map.price))],
      setCursor: [
        (/** @type {any} */ plot) => {
          if (map) told.textContent = binWords(bins[plot.cursor.idx ?? -1], Number(map.price), level);
        },
      ],
    },
  }));
  return {
    /** @param {any} fresh @param {Bin[]} made */
    update(fresh, made) {
      map = fresh;
      bins = made;
      drawn.update(
        [
          bins.map((one) => one.price),
          bins.map((one) => one[level].long),
          bins.map((one) => -one[level].short),
        ],
        mapWords(fresh, bins, level),
      );
    },
    destroy: drawn.destroy,
  };
}

/** All bars in full: the data are their middles. @param {any} plot @param {number} low @param {number} high @returns {[number, number]} */
function whole(plot, low, high) {
  const [first, second] = plot.data[0];
  const half = (second - first) / 2 || 1;
  return [low - half, high + half];
}

/** @param {any} _ @param {number} low @param {number} high @returns {[number, number]} */
function symmetric(_, low, high) {
  const size = Math.max(1, Math.abs(low || 0), Math.abs(high || 0)) * 1.08;
  return [(low || 0) < 0 ? -size : -size * 0.15, (high || 0) > 0 ? size : size * 0.15];
}

/** The price of this moment as a line. @param {any} plot @param {number} now */
function drawNow(plot, now) {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(now, "x", true));
  ctx.save();
  ctx.strokeStyle = colour("text");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** @param {Bin | undefined} bin @param {number} now @param {"level1" | "level3"} level */
function binWords(bin, now, level) {
  if (!bin) return "Point at a bar to read it.";
  const { accounts, isolated, long, short: shorts } = bin[level];
  const at = (/** @type {number} */ by) => price(now * (1 + by / 100));
  return (
    `${at(bin.from)} to ${at(bin.to)} (${chosen(bin.from)} to ${chosen(bin.to)}): ${plural(accounts, "account")}` +
    `${isolated ? ` and ${plural(isolated, "isolated position")}` : ""}, long ${short(long)} USD, short ${short(shorts)} USD`
  );
}

/** @param {any} map @param {Bin[]} bins @param {"level1" | "level3"} level */
function mapWords(map, bins, level) {
  const name = level === "level1" ? "100 %" : "300 %";
  const sum = (/** @type {"accounts" | "long" | "short"} */ field) =>
    bins.reduce((all, one) => all + one[level][field], 0);
  return (
    `${map.symbol}: over the prices shown ${count(sum("accounts"))} accounts cross ${name}, ` +
    `${short(sum("long"))} USD long and ${short(sum("short"))} USD short. The table below has every bar.`
  );
}
