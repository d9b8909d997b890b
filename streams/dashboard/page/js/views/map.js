/** The liquidation map: where accounts cross 300 % and 100 % as one price moves. */

import { get } from "../api.js";
import { RANGES, binned } from "../bins.js";
import { fill, h, section, table } from "../dom.js";
import { chosen, count, decimal, plural, price, short, time } from "../format.js";
import { mapChart } from "../map-chart.js";
import { failed, repeat } from "../parts.js";
import { link, replace } from "../router.js";
import { store } from "../store.js";

const REFRESH_MS = 1_000;
const MOVES = ["-10", "-5", "-3", "-1", "1", "3", "5", "10"];

/** The coins that have an index, those with derivatives first. */
export function underlyings() {
  const prices = store.overview?.prices ?? [];
  const coins = prices
    .filter((one) => one.kind === "index" && one.symbol.endsWith("-USD"))
    .map((one) => one.symbol.slice(0, -4));
  const marked = new Set(prices.filter((one) => one.kind === "mark").map((one) => one.symbol.split("-")[0]));
  const rank = (/** @type {string} */ coin) => (marked.has(coin) ? 0 : 1);
  return coins.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const range = route.query.get("range") ?? "";
  const view = new MapView(route.query.get("symbol") ?? "", RANGES[range] ? range : "20");
  root.replaceChildren(...view.nodes());
  view.start();
  return { title: "Liquidation map", unmount: () => view.end() };
}

class MapView {
  #places = Object.fromEntries(
    ["told", "risk", "chart1", "chart3", "read1", "read3", "figures"].map((name) => [
      name,
      h("div", { class: "place" }),
    ]),
  );
  #charts = [
    mapChart(this.#places.chart1, this.#places.read1, "level1"),
    mapChart(this.#places.chart3, this.#places.read3, "level3"),
  ];
  #ended = false;
  /** The symbol that stands there. */
  #shown = "";
  #stop = () => {};
  #showBars = () => {};

  /** @param {string} symbol @param {string} range */
  constructor(symbol, range) {
    this.symbol = symbol;
    this.choice = h("select", { id: "symbol", onchange: () => this.again() });
    this.range = h(
      "select",
      { id: "range", onchange: () => this.again() },
      Object.keys(RANGES).map((one) => h("option", { value: one }, `±${one} %`)),
    );
    this.range.value = range;
  }

  nodes() {
    const { told, risk, figures } = this.#places;
    return [
      h("h1", null, "Liquidation map"),
      section(
        "What is at risk",
        { id: "risk" },
        h(
          "div",
          { class: "row filters" },
          h("label", { for: "symbol" }, "Underlying"),
          this.choice,
          h("label", { for: "range" }, "Prices"),
          this.range,
        ),
        told,
        risk,
      ),
      this.#level("At 100 %: orders are cancelled and positions reduced there", "1"),
      this.#level("At 300 %: accounts are warned there", "3"),
      section(
        "The same as figures",
        { id: "figures" },
        h("details", { ontoggle: () => this.#showBars() }, h("summary", null, "Every bar"), figures),
      ),
    ];
  }

  /** @param {string} title @param {"1" | "3"} level */
  #level(title, level) {
    return section(
      title,
      { id: `level${level}` },
      h(
        "p",
        { class: "legend" },
        h("span", { class: "key long" }, "longs, upward"),
        " ",
        h("span", { class: "key short" }, "shorts, downward"),
        " ",
        h("span", { class: "muted" }, "dashed: the price now"),
      ),
      this.#places[`chart${level}`],
      h("div", { class: "read" }, this.#places[`read${level}`]),
    );
  }

  start() {
    this.#stop();
    this.#stop = repeat(() => this.#load(), REFRESH_MS);
  }

  again() {
    this.symbol = this.choice.value;
    this.#shown = "";
    replace(link("map", { symbol: this.symbol, range: this.range.value }));
    this.start();
  }

  async #load() {
    this.#offer();
    const { symbol } = this;
    if (!symbol || (store.paused && this.#shown === symbol)) return;
    try {
      const found = await get("liquidation-map", { symbol });
      if (!this.#ended && symbol === this.symbol) this.#show(found);
    } catch (error) {
      if (!this.#ended) failed(this.#places.told, error);
    }
  }

  #offer() {
    const coins = underlyings();
    if (!this.symbol && coins.length) this.symbol = coins.includes("BTC") ? "BTC" : coins[0];
    const names = this.symbol && !coins.includes(this.symbol) ? [this.symbol, ...coins] : coins;
    const offered = [...this.choice.options].map((/** @type {any} */ one) => one.value);
    if (names.join() !== offered.join())
      this.choice.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    this.choice.value = this.symbol;
  }

  /** @param {any} found */
  #show(found) {
    this.#shown = this.symbol;
    const bins = binned(found, Number(this.range.value));
    this.#charts.forEach((chart) => chart.update(found, bins));
    showTold(this.#places, found);
    this.#showBars = () => showFigures(this.#places.figures, found, bins);
    this.#showBars();
  }

  end() {
    this.#ended = true;
    this.#stop();
    this.#charts.forEach((chart) => chart.destroy());
  }
}

/** @param {Record<string, HTMLElement>} places @param {any} found */
function showTold(places, found) {
  const risk = (/** @type {string} */ by) => `${short(found.at_risk[by])} USD`;
  const now = found.now?.level1;
  const already = now ? Number(now.long_usd) + Number(now.short_usd) : 0;
  const missing = found.unassessed ? ` ${plural(found.unassessed, "account")} not in it yet.` : "";
  fill(
    places.told,
    h(
      "p",
      { class: "sentence small" },
      `${found.symbol} is at ${price(found.price)} USD. If it falls by 5 %, ${risk("-5")} of positions reach 100 %; ` +
        `if it rises by 5 %, ${risk("5")}. `,
      already ? `${short(already)} USD in ${plural(now.accounts, "account")} are there already. ` : "",
      h(
        "span",
        { class: "muted" },
        `As of ${time(found.ts)} UTC, ${plural(found.concerned ?? found.accounts ?? 0, "account")} concerned: index and all marks of ` +
          `${found.symbol} moving together, all else standing.${missing}`,
      ),
    ),
  );
  fill(
    places.risk,
    table(
      "Notional that reaches 100 % by a move of",
      MOVES.map((by) => ({ title: chosen(by), number: true, value: () => risk(by) })),
      [found],
      { shown: true },
    ),
  );
}

/** The bars as a table, for those who do not see them. @param {HTMLElement} place @param {any} found @param {import("../bins.js").Bin[]} bins */
function showFigures(place, found, bins) {
  if (!place.closest("details")?.open) return;
  const cells = (/** @type {"level1" | "level3"} */ level, /** @type {string} */ name) => [
    {
      title: `${name}: accounts`,
      number: true,
      value: (/** @type {any} */ row) => count(row[level].accounts),
    },
    {
      title: `${name}: long, USD`,
      number: true,
      value: (/** @type {any} */ row) => decimal(row[level].long, 0, { rounding: "up" }),
    },
    {
      title: `${name}: short, USD`,
      number: true,
      value: (/** @type {any} */ row) => decimal(row[level].short, 0, { rounding: "up" }),
    },
  ];
  fill(
    place,
    table(
      `Where accounts cross, ${found.symbol}`,
      [
        {
          title: "Up to a price of, USD",
          head: true,
          number: true,
          value: (row) => price(Number(found.price) * (1 + row.to / 100)),
        },
        { title: "Move", number: true, value: (row) => chosen(row.to) },
        ...cells("level1", "100 %"),
        ...cells("level3", "300 %"),
      ],
      bins,
      { class: "tall" },
    ),
  );
}
