/** What a check answers: the verdict with its reasons, and every figure used (OV-6). */

import { h, icon, table } from "../dom.js";
import { asked, coin, decimal, duration, percent, price, words } from "../format.js";
import { borrowingTable } from "./account-borrowing.js";

/** @param {any} answer */
export function answerNodes(answer) {
  return [
    verdict(answer),
    answer.plan ? planNodes(answer.plan) : null,
    table(
      "Figures of the answer",
      [
        { title: "Figure", head: true, value: (/** @type {[string, any]} */ [name]) => words(name) },
        {
          title: "Value",
          number: true,
          value: (/** @type {[string, any]} */ [name, value]) => figure(name, value),
        },
      ],
      Object.entries(answer.figures ?? {}),
      { shown: true },
    ),
    Object.keys(answer.borrowing ?? {}).length ? borrowingTable(Object.values(answer.borrowing)) : null,
  ];
}

/** @param {any} answer */
function verdict(answer) {
  const sign = answer.accepted ? "normal" : "liquidation";
  const notes = notesOf(answer).join("; ");
  return h(
    "div",
    { class: `state ${sign}` },
    icon(sign),
    h(
      "div",
      null,
      h("p", { class: "sentence" }, answer.accepted ? "Accepted" : `Refused by ${answer.rule}`),
      (answer.refusals ?? []).map((/** @type {any} */ one) => h("p", null, `${one.rule}: ${one.message}`)),
      answer.check === "repay"
        ? null
        : h("p", { class: "second" }, `Largest that would pass: ${largest(answer)}.`),
      notes ? h("p", { class: "second" }, `${notes[0].toUpperCase()}${notes.slice(1)}.`) : null,
    ),
  );
}

/** @param {any} answer */
const largest = (answer) => (typeof answer.largest === "string" ? coin(answer.largest) : "no bound");

/** @param {any} answer @returns {string[]} */
function notesOf(answer) {
  const { auto_borrow: auto, borrows = {}, unpriced = [], stale_prices: stale = [] } = answer;
  return [
    ...(typeof auto === "boolean" ? [`checked ${auto ? "with" : "without"} auto-borrow`] : []),
    ...Object.entries(borrows).map(([name, amount]) => `borrows ${coin(amount, "up")} ${name}`),
    ...(unpriced.length ? [`no price of ${unpriced.join(", ")}`] : []),
    ...(stale.length ? [`stale prices: ${stale.join(", ")}`] : []),
    ...(answer.out_of_sync ? ["the account is out of sync"] : []),
    ...(answer.totals_age_ms
      ? [`totals of main account and platform are ${duration(answer.totals_age_ms)} old`]
      : []),
  ];
}

const ASKED = /^(initial_margin|needed|used|added|loss|fees|margin|liability)|_loss/;

/** @param {string} name @param {any} value */
function figure(name, value) {
  if (name.startsWith("ratio")) return percent(value);
  if (name.includes(".") || name === "opening" || /^(suspension|spot_taker)/.test(name)) return coin(value);
  return ASKED.test(name) ? asked(value) : decimal(value, 2);
}

/** @param {any} plan */
function planNodes(plan) {
  return [
    h(
      "p",
      null,
      `Repays ${coin(plan.repaid)} of ${coin(plan.amount, "up")} ${plan.currency}, leaves ${coin(plan.left, "up")}.`,
      Number(plan.repay_transfer)
        ? ` Then a repay transfer of ${coin(plan.repay_transfer)} ${plan.currency}.`
        : "",
    ),
    table(
      "Sales, in this order",
      [
        { title: "Asset", head: true, value: (row) => row.asset },
        { title: "Instrument", value: (row) => row.instrument },
        { title: "Side", value: (row) => row.side },
        { title: "Quantity", number: true, value: (row) => coin(row.quantity, "near") },
        { title: "Price", number: true, value: (row) => price(row.price) },
        { title: "Received", number: true, value: (row) => `${coin(row.received)} ${row.received_currency}` },
        { title: "Fee", number: true, value: (row) => `${coin(row.fee, "up")} ${row.received_currency}` },
      ],
      /** @type {any[]} */ (plan.sales),
      { shown: true, empty: "none needed" },
    ),
  ];
}
