/** One account in full: why it is where it is, what was done to it, and what it is made of. */

import { ApiError, get } from "../api.js";
import { badge, fill, h, icon, section } from "../dom.js";
import { dateTime, duration, percent } from "../format.js";
import { failed, repeat } from "../parts.js";
import { link } from "../router.js";
import { store } from "../store.js";
import { storySentences, timeline } from "../story.js";
import { tree } from "../tree.js";
import * as owed from "./account-borrowing.js";
import * as shown from "./account-tables.js";
import { riskUnits } from "./risk-units.js";

/** @typedef {import("../types.js").AccountDetail} Detail */
/** @typedef {import("../types.js").Episode} Episode */

const REFRESH_MS = 2_000;
const BORROWING_MS = 10_000;
const UNITS = "risk-units";
const PARTS = [
  ["what-happened", "what happened"],
  ["positions", "positions"],
  [UNITS, "risk units"],
  ["currencies", "currencies"],
  ["borrowing", "borrowing"],
  ["interest", "interest"],
  ["explanation", "explanation"],
];

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const id = route.id ?? "";
  const path = `accounts/${encodeURIComponent(id)}`;
  const names = [
    "head",
    "story",
    "positions",
    "currencies",
    "isolated",
    "orders",
    "borrowing",
    "interest",
    "units",
    "explanation",
    "settings",
  ];
  const places = Object.fromEntries(names.map((name) => [name, h("div", { class: "place" })]));
  const jump = (/** @type {string} */ part) =>
    document.getElementById(part)?.scrollIntoView({ block: "start" });
  root.replaceChildren(
    h(
      "div",
      { class: "title" },
      h("h1", null, "Account ", h("span", { class: "id" }, id)),
      h(
        "div",
        { class: "row" },
        h("a", { class: "button", href: link("checks", { account: id }) }, "Check an order …"),
        h("a", { class: "button", href: link("what-if", { account: id }) }, "What if …"),
      ),
    ),
    places.head,
    h(
      "div",
      { class: "row jumps", role: "group", "aria-label": "Parts of this page" },
      PARTS.map(([part, text]) =>
        h("button", { type: "button", hidden: part === UNITS, "data-jump": part, onclick: () => jump(part) }, text),
      ),
    ),
    section("What happened", {}, places.story),
    section("Positions", {}, places.positions, places.isolated),
    places.units,
    section("Currencies", {}, places.currencies),
    section("Open orders", { id: "orders" }, places.orders),
    section("Borrowing", {}, places.borrowing),
    section("Interest", {}, places.interest),
    section(
      "Explanation",
      {},
      h(
        "p",
        { class: "foot" },
        "Every figure with what it is made of; codes name the rule. Fold open what you want to know.",
      ),
      places.explanation,
    ),
    section("Settings", {}, places.settings),
  );
  /** @type {Detail | null} */
  let detail = null;
  let first = true;
  const load = async () => {
    if (store.paused && detail) return;
    try {
      detail = await get(path);
      if (detail) show(places, detail, route.query.get("episode"));
      if (first && route.query.get("part")) jump(route.query.get("part") ?? "");
      first = false;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404)
        fill(
          places.head,
          h(
            "p",
            { class: "error", role: "alert" },
            icon("trouble"),
            `No account ${id} is known. `,
            h("a", { href: link("accounts", { q: id }) }, "Search for it"),
          ),
        );
      else failed(places.head, error);
    }
  };
  const loadMore = async () => {
    if (store.paused && places.borrowing.childElementCount) return;
    await Promise.all([
      get(`${path}/borrowing`).then(
        (answer) => owed.borrowing(places.borrowing, answer),
        (error) => absent(places.borrowing, error),
      ),
      get(`${path}/interest`).then(
        (answer) => owed.interest(places.interest, answer),
        (error) => absent(places.interest, error),
      ),
    ]);
  };
  const ends = [repeat(load, REFRESH_MS), repeat(loadMore, BORROWING_MS)];
  return { title: id, unmount: () => ends.forEach((end) => end()) };
}

/** @param {HTMLElement} place @param {unknown} error */
function absent(place, error) {
  fill(place, h("p", { class: "empty" }, `Not known: ${error instanceof Error ? error.message : error}.`));
}

/** @param {Record<string, HTMLElement>} places @param {Detail} detail @param {string | null} asked */
function show(places, detail, asked) {
  const { assessment } = detail;
  showHead(places.head, detail);
  showStory(places.story, detail, asked);
  shown.positions(places.positions, assessment.positions);
  shown.isolated(places.isolated, assessment.isolated ?? []);
  shown.currencies(places.currencies, assessment.currencies);
  shown.orders(places.orders, detail.orders ?? []);
  riskUnits(places.units, assessment.risk_units, assessment);
  for (const button of document.querySelectorAll(`[data-jump="${UNITS}"]`))
    /** @type {HTMLElement} */ (button).hidden = assessment.mode !== "portfolio";
  shown.settings(places.settings, detail.settings ?? {});
  fill(
    places.explanation,
    detail.explanation
      ? tree(detail.explanation)
      : h("p", { class: "empty" }, "No explanation: a price is missing."),
  );
}

/** @param {HTMLElement} place @param {Detail} detail */
function showHead(place, detail) {
  const { assessment } = detail;
  const band = assessment.band ?? "unpriced";
  const notes = [
    ...(assessment.unpriced?.length
      ? [`No price of ${assessment.unpriced.join(", ")}: no ratio, and no command.`]
      : []),
    ...(assessment.stale?.length
      ? [`Too old: ${assessment.stale.join(", ")}. Nothing is reduced on these prices.`]
      : []),
    ...(detail.behind
      ? [
          "The worker has a newer book than the cache: figures are the worker's, the explanation is of the book before.",
        ]
      : []),
    ...(assessment.out_of_sync
      ? ["Out of sync: account events are missing, nothing is reduced until they came."]
      : []),
  ];
  fill(
    place,
    h(
      "div",
      { class: `state ${band}` },
      icon(band),
      h(
        "div",
        null,
        h(
          "p",
          { class: "sentence" },
          h(
            "span",
            { class: "ratio", "data-figure": "ratio" },
            assessment.band === null ? "no ratio" : percent(assessment.ratio),
          ),
          " ",
          badge(assessment.band),
        ),
        h(
          "p",
          { class: "second" },
          `${assessment.mode.replace("_", " ")} account, maintenance margin ratio = adjusted equity / (maintenance margin + liquidation fee). `,
          `Held as of ${dateTime(detail.updated_at)}, ${duration(detail.age_ms)} ago; figures at the prices of this moment.`,
        ),
        notes.length
          ? h(
              "ul",
              { class: "flaws" },
              notes.map((note) => h("li", null, icon("trouble"), note)),
            )
          : null,
      ),
    ),
    shown.figuresOf(assessment),
  );
}

/** @param {HTMLElement} place @param {Detail} detail @param {string | null} asked */
function showStory(place, detail, asked) {
  const { episodes, assessment } = detail;
  const missing =
    detail.episodes_complete === false
      ? h(
          "p",
          { class: "foot" },
          icon("trouble"),
          " Older commands could not be read; episodes may be missing.",
        )
      : null;
  if (!episodes.length) {
    fill(
      place,
      h(
        "p",
        { class: "empty" },
        `Nothing: no warning, no cancel and no reduction is known of this account. Its ratio is ${percent(assessment.ratio)}.`,
      ),
      missing,
    );
    return;
  }
  const first = episodes.find((one) => one.episode_id === asked) ?? episodes[0];
  const others = episodes.filter((one) => one !== first);
  fill(
    place,
    h(
      "div",
      { class: "story" },
      storySentences(first, ratioOf(first, assessment)).map((text) => h("p", null, text)),
    ),
    h("h3", null, `Step by step, episode ${first.episode_id}`),
    timeline(first, ratioOf(first, assessment)),
    others.map((one) =>
      h(
        "details",
        { "data-fold": one.episode_id },
        h(
          "summary",
          { "data-key": `fold ${one.episode_id}` },
          `Episode ${one.episode_id}, ${one.opened_at ? `opened ${dateTime(one.opened_at)}` : "opened earlier"}, ${one.closed_at ? "closed" : one.state}`,
        ),
        h(
          "div",
          { class: "story" },
          storySentences(one, ratioOf(one, assessment)).map((text) => h("p", null, text)),
        ),
        timeline(one, ratioOf(one, assessment)),
      ),
    ),
    missing,
  );
}

/** An isolated position has a ratio of its own. @param {Episode} episode @param {any} assessment */
function ratioOf(episode, assessment) {
  const position = episode.commands[0]?.position;
  if (!position) return assessment.ratio;
  const [instrument, , side] = position.split("/");
  const held = (assessment.isolated ?? []).find(
    (/** @type {any} */ one) => one.instrument === instrument && one.position_side === side,
  );
  return held ? held.ratio : null;
}
