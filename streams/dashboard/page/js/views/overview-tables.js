/** The tables of the overview. */

import { get } from "../api.js";
import { fill, h, icon, table } from "../dom.js";
import { count, decimal, duration, has, percent, price, share } from "../format.js";
import { account, ago, distanceText, spark } from "../parts.js";
import { store } from "../store.js";
import { isWatching, proof } from "../state.js";

/** @typedef {import("../types.js").Overview} Overview */

const NEAREST_SHOWN = 15;

/** @param {HTMLElement} place */
export function showNearest(place) {
  const { overview } = store;
  const rows = store.nearest.slice(0, NEAREST_SHOWN);
  if (!rows.length) {
    fill(
      place,
      h(
        "p",
        { class: "empty" },
        overview ? `No account has a ratio at this moment. ${proof(overview)}.` : "Nothing known yet.",
      ),
    );
    return;
  }
  fill(
    place,
    table(
      "Nearest accounts, lowest ratio first",
      [
        { title: "Account", head: true, value: (row) => account(row.account_id, "near") },
        {
          title: "Ratio",
          number: true,
          value: (row) =>
            h(
              "span",
              { class: `badge ${row.band ?? "unpriced"}` },
              icon(row.band ?? "unpriced"),
              h("span", { class: "hidden" }, row.band ?? "unpriced"),
              percent(row.ratio),
            ),
        },
        { title: "Trend", value: (row) => spark(row.trend ?? []) },
        {
          title: "To 300 %",
          number: true,
          hint: "All prices moving together by this much bring the ratio to 300 %",
          value: (row) => distanceText(row.distance, "to_3"),
        },
        {
          title: "To 100 %",
          number: true,
          hint: "All prices moving together by this much bring the ratio to 100 %",
          value: (row) => distanceText(row.distance, "to_1"),
        },
        { title: "Adjusted equity, USD", number: true, value: (row) => has(row.adjusted_equity) },
      ],
      rows,
      { key: (row) => row.account_id, class: "nearest" },
    ),
    h(
      "p",
      { class: "foot" },
      "Distance: how far all prices would have to move together. ",
      h("a", { href: "#/accounts" }, `all ${overview ? count(overview.accounts) : ""} accounts`),
    ),
  );
}

/** @param {HTMLElement} place @param {Overview} overview */
export function showPrices(place, overview) {
  const since = overview.prices.map((one) => one.change_since).filter((ts) => ts !== undefined);
  fill(
    place,
    table(
      "Prices",
      [
        { title: "Symbol", head: true, value: (row) => row.symbol },
        { title: "Kind", value: (row) => row.kind },
        { title: "Price", number: true, value: (row) => price(row.price) },
        {
          title: "Change",
          number: true,
          hint: since.length ? "Over a day, or since the price is known" : undefined,
          value: (row) => change(row.change),
        },
        {
          title: "Age",
          number: true,
          value: (row) =>
            h(
              "span",
              { class: row.stale ? "old" : null },
              row.stale ? icon("trouble") : null,
              duration(row.age_ms),
              row.stale ? " stale" : null,
            ),
        },
      ],
      overview.prices,
      { class: "tall", empty: "no tick has come yet" },
    ),
  );
}

/** @param {import("../types.js").Decimal} value */
function change(value) {
  const number = Number(value ?? NaN);
  if (!Number.isFinite(number)) return "–";
  return h(
    "span",
    { class: "change" },
    Math.abs(number) < 0.00005 ? null : icon(number < 0 ? "down" : "up"),
    share(value, { plus: true }),
  );
}

/** @param {HTMLElement} place @param {Overview} overview */
export function showWorkers(place, overview) {
  fill(
    place,
    table(
      "Workers",
      [
        { title: "Worker", head: true, value: (row) => row.worker },
        {
          title: "State",
          value: (row) =>
            h(
              "span",
              { class: isWatching(row) ? null : "old" },
              icon(isWatching(row) ? "normal" : "trouble"),
              isWatching(row) || row.state !== "ready" ? ` ${row.state}` : " silent",
            ),
        },
        { title: "Partitions", number: true, value: (row) => count(row.partitions.length) },
        {
          title: "Accounts",
          number: true,
          value: (row) => count(Object.values(row.accounts).reduce((sum, one) => sum + one, 0)),
        },
        { title: "Lag", number: true, hint: "Records not read yet", value: (row) => count(row.lag) },
        {
          title: "Missed",
          number: true,
          hint: "Crossings that a full scan found later than the watch",
          value: (row) => count(row.missed_crossings),
        },
        { title: "Heard", number: true, value: (row) => ago(row.age_ms) },
      ],
      overview.workers,
      { empty: "no worker is heard of, nobody watches the accounts" },
    ),
  );
}

/** @param {HTMLElement} place */
export async function showBorrowing(place) {
  if (store.paused && place.childElementCount) return;
  try {
    const { currencies } = await get("borrowing");
    fill(
      place,
      table(
        "Borrowing by currency",
        [
          { title: "Currency", head: true, value: (row) => row.currency },
          { title: "Lent out", number: true, value: (row) => decimal(row.lent_out, 2) },
          {
            title: "Rate, last hour",
            number: true,
            hint: "By the year",
            value: (row) => share(row.last_rate),
          },
          {
            title: "Next hour",
            number: true,
            hint: "Estimate, by the year",
            value: (row) => share(row.next_rate),
          },
          { title: "Of the pool", number: true, value: (row) => share(row.utilisation, { places: 1 }) },
        ],
        /** @type {any[]} */ (currencies),
        { class: "tall", empty: "nothing can be borrowed" },
      ),
    );
  } catch (error) {
    fill(place, h("p", { class: "empty" }, `Not known: ${error instanceof Error ? error.message : error}.`));
  }
}
