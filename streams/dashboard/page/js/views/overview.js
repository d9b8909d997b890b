/** How everything stands, to be taken in within ten seconds. */

import { countsChart } from "../charts.js";
import { fill, h, icon, section } from "../dom.js";
import { count, plural, share, time } from "../format.js";
import { feedLine, repeat } from "../parts.js";
import { link } from "../router.js";
import { store } from "../store.js";
import { BAND_WORDS, caveats, clockWords, marketWords, proof, stateSentence } from "../state.js";
import { showBorrowing, showNearest, showPrices, showWorkers } from "./overview-tables.js";

/** @typedef {import("../types.js").Overview} Overview */

const BANDS = /** @type {const} */ (["liquidation", "warning", "normal", "unpriced", "unassessed"]);
const FEED_SHOWN = 40;
const BORROWING_MS = 10_000;

/** @type {[string, string][]} */
const KINDS = [
  ["", "all"],
  ["reduction", "reductions"],
  ["order_cancel", "cancels"],
  ["warning", "warnings"],
  ["episode", "episodes"],
];

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const place = (/** @type {string} */ name) => h("div", { class: `place place-${name}` });
  const places = Object.fromEntries(
    ["state", "bands", "chart", "legend", "nearest", "feed", "prices", "workers", "borrowing"].map((name) => [
      name,
      place(name),
    ]),
  );
  const kind = h(
    "select",
    { id: "feed-kind", onchange: () => showFeed(places.feed, kind.value) },
    KINDS.map(([value, text]) => h("option", { value }, text)),
  );
  root.replaceChildren(
    h("h1", { class: "hidden" }, "Overview"),
    places.state,
    section("Accounts by band", { class: "wide" }, places.bands),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        { class: "column" },
        section("Accounts in danger, last 10 minutes", { id: "counts" }, places.legend, places.chart),
        section("Nearest accounts", {}, places.nearest),
      ),
      h(
        "div",
        { class: "column" },
        section(
          "What goes out now",
          { id: "commands", class: "feed-panel" },
          h(
            "div",
            { class: "row" },
            h("label", { for: "feed-kind" }, "Show"),
            kind,
            h("a", { href: "#/commands" }, "all commands"),
          ),
          places.feed,
        ),
      ),
    ),
    h(
      "div",
      { class: "columns even" },
      section("Prices", {}, places.prices),
      h(
        "div",
        { class: "column" },
        section("Workers", {}, places.workers),
        section("Borrowing", {}, places.borrowing),
      ),
    ),
  );
  const chart = countsChart(places.chart, 190);
  const ends = [
    store.on(["overview"], () => showOverview(places, chart)),
    store.on(["accounts", "overview"], () => showNearest(places.nearest)),
    store.on(["commands", "overview"], () => showFeed(places.feed, kind.value)),
    repeat(() => showBorrowing(places.borrowing), BORROWING_MS),
  ];
  showOverview(places, chart);
  showNearest(places.nearest);
  showFeed(places.feed, kind.value);
  if (route.name !== "overview") document.getElementById(route.name)?.scrollIntoView();
  return {
    title: route.name === "overview" ? "Overview" : route.name[0].toUpperCase() + route.name.slice(1),
    unmount() {
      ends.forEach((end) => end());
      chart.destroy();
    },
  };
}

/** @param {Record<string, HTMLElement>} places @param {import("../charts.js").CountsChart} chart */
function showOverview(places, chart) {
  const { overview } = store;
  if (!overview) {
    fill(
      places.state,
      h(
        "div",
        { class: `state ${store.trouble ? "trouble" : "quiet"}` },
        icon(store.trouble ? "trouble" : "quiet"),
        h(
          "div",
          null,
          h(
            "p",
            { class: "sentence" },
            store.trouble ? `Nothing can be shown: ${store.trouble}.` : "Asking how things stand …",
          ),
        ),
      ),
    );
    return;
  }
  showState(places.state, overview);
  showBands(places.bands, overview);
  const last = store.history.at(-1);
  fill(
    places.legend,
    h(
      "p",
      { class: "legend" },
      h("span", { class: "key liquidation" }, `at or below 100 %: ${count(last?.liquidation)}`),
      " ",
      h("span", { class: "key warning" }, `warned: ${count(last?.warning)}`),
      " ",
      h(
        "span",
        { class: "muted" },
        `since ${time(store.history[0]?.ts)} UTC${overview.clock === "event" ? ", real time" : ""}`,
      ),
    ),
  );
  if (!store.paused) chart.update(store.history);
  showPrices(places.prices, overview);
  showWorkers(places.workers, overview);
}

/** @param {HTMLElement} place @param {Overview} overview */
function showState(place, overview) {
  const { text, tone } = stateSentence(overview);
  const flaws = caveats(overview);
  const last = overview.commands ?? {};
  const said = [
    ["warning", "warning"],
    ["order_cancel", "order cancel"],
    ["reduction", "reduction"],
    ["auto_exchange", "conversion"],
  ]
    .filter(([name]) => last[name])
    .map(([name, words]) => plural(last[name], words));
  fill(
    place,
    h(
      "div",
      { class: `state ${tone}` },
      icon(tone),
      h(
        "div",
        null,
        h("p", { class: "sentence", id: "sentence" }, text),
        h(
          "p",
          { class: "second" },
          clockWords(overview),
          marketWords(overview),
          said.length
            ? `In the last minute went out: ${said.join(", ")}. `
            : "No command in the last minute. ",
          overview.episodes_open ? `${plural(overview.episodes_open, "episode")} open. ` : "",
          `${proof(overview)}.`,
        ),
        flaws.length
          ? h(
              "ul",
              { class: "flaws" },
              flaws.map((flaw) => h("li", null, icon("trouble"), flaw)),
            )
          : null,
      ),
    ),
  );
}

/** @param {HTMLElement} place @param {Overview} overview */
function showBands(place, overview) {
  fill(
    place,
    h(
      "ul",
      { class: "bands" },
      BANDS.map((band) => {
        const number = overview.bands[band] ?? 0;
        return h(
          "li",
          { class: `band ${band}${number ? "" : " none"}` },
          h(
            "a",
            { href: link("accounts", { band }), "data-key": `band ${band}` },
            h("span", { class: "name" }, icon(band), band),
            h("span", { class: "count", "data-band": band }, count(number)),
            h(
              "span",
              { class: "share" },
              overview.accounts ? share(number / overview.accounts, { places: 1 }) : "",
            ),
          ),
          h("p", null, BAND_WORDS[band]),
        );
      }),
    ),
    h(
      "p",
      { class: "foot" },
      "Bands are those of whole accounts; an isolated position has its own ratio, and is warned and reduced alone.",
    ),
  );
}

/** What says something new: not that an episode opened, nor twice that it is over. @param {import("../types.js").Command[]} commands */
function news(commands) {
  const moment = (/** @type {import("../types.js").Command} */ one) => `${one.episode_id} ${one.decided_at}`;
  const closed = new Set(commands.filter((one) => one.state === "closed").map(moment));
  return commands.filter(
    (one) => one.state !== "opened" && !(one.state === "cleared" && closed.has(moment(one))),
  );
}

/** @param {HTMLElement} place @param {string} kind */
function showFeed(place, kind) {
  const shown = (kind ? store.commands.filter((one) => one.kind === kind) : news(store.commands)).slice(
    0,
    FEED_SHOWN,
  );
  const { overview } = store;
  if (!shown.length) {
    fill(
      place,
      h(
        "p",
        { class: "empty" },
        icon("normal"),
        overview ? ` Nothing had to be said. ${proof(overview)}.` : " Nothing known yet.",
      ),
    );
    return;
  }
  fill(
    place,
    h(
      "ol",
      {
        class: "feed",
        "data-rows": "",
        "data-scroll": "feed",
        tabindex: "0",
        "aria-label": "Commands, newest first",
        "data-key": "box feed",
      },
      shown.map(feedLine),
    ),
  );
}
