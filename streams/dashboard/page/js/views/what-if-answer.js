/** What a what-if answers: the bands then, and the accounts that fall. */

import { badge, fill, h, icon, table } from "../dom.js";
import { asked, chosen, count, decimal, has, percent, plural, short, words } from "../format.js";
import { account } from "../parts.js";
import { unitParts } from "./risk-units.js";

const BANDS = ["liquidation", "warning", "normal", "unpriced", "unassessed"];

/** @type {import("../grid.js").GridColumn[]} */
export const COLUMNS = [
  { title: "Account", value: (row) => account(row.account_id, "moved"), width: 150, grow: 2 },
  {
    title: "Ratio now",
    number: true,
    value: (row) => percent(row.ratio_before),
    sort: (row) => Number(row.ratio_before ?? Infinity),
  },
  {
    title: "Then",
    number: true,
    value: (row) => h("b", null, percent(row.ratio_after)),
    sort: (row) => Number(row.ratio_after ?? Infinity),
  },
  { title: "Band now", value: (row) => badge(row.band_before), width: 120 },
  { title: "Then", value: (row) => badge(row.band_after), width: 120 },
  {
    title: "Adjusted equity then, USD",
    number: true,
    value: (row) => has(row.adjusted_equity_after),
    width: 180,
    grow: 2,
    sort: (row) => Number(row.adjusted_equity_after),
  },
];

/**
 * @param {Record<string, HTMLElement>} places @param {any} answer @param {Record<string, number>} shocks
 * @param {number} tookMs
 */
export function showTold(places, answer, shocks, tookMs) {
  const low = answer.after.liquidation ?? 0;
  const sign = low ? "liquidation" : answer.after.warning ? "warning" : "normal";
  const falling = `${plural(answer.falling, "account")} ${answer.falling === 1 ? "falls" : "fall"} into a worse band`;
  fill(
    places.told,
    h(
      "div",
      { class: `state ${sign}` },
      icon(sign),
      h(
        "div",
        null,
        h(
          "p",
          { class: "sentence" },
          `${shockWords(shocks)}: ${falling}; ${count(low)} of ${count(total(answer.after))} would be at or below 100 %.`,
        ),
        h(
          "p",
          { class: "second" },
          ...expectations(answer),
          ` Worked out in ${(tookMs / 1000).toFixed(1)} s.`,
        ),
      ),
    ),
  );
  fill(places.bands, bandTable(answer), answer.account ? accountParts(answer.account) : null);
}

/** @param {Record<string, number>} counts */
const total = (counts) => Object.values(counts).reduce((sum, one) => sum + one, 0);

/** @param {Record<string, number>} shocks */
function shockWords(shocks) {
  const moves = Object.entries(shocks);
  const named = moves.slice(0, 4).map(([coin, by]) => `${coin} ${chosen(by)}`);
  return `${named.join(", ")}${moves.length > 4 ? ` and ${moves.length - 4} more` : ""}`;
}

/** @param {any} answer */
function expectations(answer) {
  const before = answer.shortfall_before_usd;
  return [
    `Expected: ${plural(answer.expected_reductions, "account")} reduced, even when all their orders are cancelled; `,
    `${short(answer.notional_at_risk_usd)} USD of positions in the liquidation band; `,
    `${plural(answer.bankrupt ?? 0, "account")} bankrupt; `,
    `shortfall ${short(answer.shortfall_usd)} USD${before === undefined ? "" : ` (now ${short(before)} USD)`}.`,
  ];
}

/** @param {any} answer */
function bandTable(answer) {
  const { before, after, isolated_before: alone = {}, isolated_after: aloneThen = {} } = answer;
  const isolated = total(alone) + total(aloneThen) > 0;
  const change = (/** @type {string} */ band) => (after[band] ?? 0) - (before[band] ?? 0);
  return table(
    "Accounts by band, now and then",
    [
      { title: "Band", head: true, value: (row) => badge(row) },
      { title: "Now", number: true, value: (row) => count(before[row] ?? 0) },
      { title: "Then", number: true, value: (row) => h("b", { "data-after": row }, count(after[row] ?? 0)) },
      { title: "Change", number: true, value: (row) => decimal(change(row), 0, { plus: true }) },
      ...(isolated
        ? [
            {
              title: "Isolated, now",
              number: true,
              value: (/** @type {string} */ row) => count(alone[row] ?? 0),
            },
            { title: "Then", number: true, value: (/** @type {string} */ row) => count(aloneThen[row] ?? 0) },
          ]
        : []),
    ],
    BANDS.filter(
      (band) => ["liquidation", "warning", "normal"].includes(band) || before[band] || after[band],
    ),
  );
}

/** @param {{before: any, after: any}} account */
function accountParts(account) {
  const units = Object.entries(account.after.risk_units ?? {});
  return [
    accountTable(account),
    units.length ? [unitChanges(account), unitParts(units, ", then")] : null,
  ];
}

/** Portfolio mode: what each unit asks now and then. @param {{before: any, after: any}} account */
function unitChanges({ before, after }) {
  const names = [...new Set([...Object.keys(before.risk_units ?? {}), ...Object.keys(after.risk_units ?? {})])];
  const of = (/** @type {any} */ found, /** @type {string} */ name) => (found.risk_units ?? {})[name];
  return table(
    "Risk units, now and then",
    [
      { title: "Unit", head: true, value: (row) => row },
      { title: "Maintenance now, USD", number: true, value: (row) => asked(of(before, row)?.maintenance_margin) },
      {
        title: "Then",
        number: true,
        value: (row) => h("b", null, asked(of(after, row)?.maintenance_margin)),
      },
      { title: "Worst scenario now, USD", number: true, value: (row) => has(of(before, row)?.worst.pnl) },
      { title: "Then", number: true, value: (row) => h("b", null, has(of(after, row)?.worst.pnl)) },
    ],
    names,
    { shown: true },
  );
}

/** One account, asked about alone. @param {{before: any, after: any}} account */
function accountTable({ before, after }) {
  const rows = Object.keys(before).filter(
    (field) => typeof before[field] === "string" && !Number.isNaN(Number(before[field])),
  );
  const figure = (/** @type {any} */ found, /** @type {string} */ field) =>
    field === "ratio" ? percent(found[field]) : decimal(found[field], 2);
  return table(
    `Account ${before.account_id}`,
    [
      { title: "Figure, USD", head: true, value: (row) => words(row) },
      { title: "Now", number: true, value: (row) => figure(before, row) },
      { title: "Then", number: true, value: (row) => h("b", null, figure(after, row)) },
    ],
    rows,
    { shown: true },
  );
}
