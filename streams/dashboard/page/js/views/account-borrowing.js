/** What an account owes, what it costs, and how much more it may borrow. */

import { fill, h, icon, table } from "../dom.js";
import { asked, coin, dateTime, duration, share } from "../format.js";

/** A limit: what is left, of how much. @param {any} limit */
function left(limit) {
  if (limit === null || limit === undefined) return "–";
  if (typeof limit !== "object") return coin(limit);
  if (limit.limit === null) return "no limit";
  if (limit.left === null) return "unknown";
  return [h("b", null, coin(limit.left)), h("span", { class: "muted small" }, ` of ${coin(limit.limit)}`)];
}

/** Also of a check's answer. @param {HTMLElement} place @param {any} answer */
export function borrowing(place, answer) {
  const body = answer.currencies ?? answer.borrowing ?? answer;
  const rows = Array.isArray(body) ? body : Object.values(body);
  const age = answer.totals_age_ms;
  fill(
    place,
    borrowingTable(rows),
    h(
      "p",
      { class: "foot" },
      age === null || age === undefined
        ? "What main accounts and the platform have lent out is not known."
        : `Totals of main account and platform are ${duration(age)} old.`,
    ),
  );
}

/** @param {any[]} rows */
export const borrowingTable = (rows) =>
  table(
    "Borrowing, amounts in coin, and what is left under each limit",
    [
      { title: "Currency", head: true, value: (row) => row.currency },
      { title: "Liability", number: true, hint: "CU-6", value: (row) => coin(row.liability, "up") },
      {
        title: "Potential",
        number: true,
        hint: "CU-7: with what open orders would borrow",
        value: (row) => coin(row.potential_borrowing, "up"),
      },
      { title: "Isolated debt", number: true, value: (row) => coin(row.isolated_debt, "up") },
      { title: "Leverage", number: true, value: (row) => `${coin(row.borrow_leverage)} ×` },
      { title: "Margin, USD", number: true, hint: "CU-8", value: (row) => asked(row.margin_usd) },
      { title: "Rate a year", number: true, value: (row) => share(row.yearly_rate) },
      {
        title: "Next hour",
        number: true,
        hint: "BL-3, estimate",
        value: (row) => share(row.next_yearly_rate),
      },
      { title: "Free part", number: true, hint: "IN-2", value: (row) => coin(row.free_part) },
      { title: "Left by tier", number: true, hint: "BL-1", value: (row) => left(row.tier) },
      { title: "Left of main account", number: true, hint: "BL-2", value: (row) => left(row.main_account) },
      { title: "Left on platform", number: true, hint: "BL-3", value: (row) => left(row.platform) },
    ],
    rows,
    { empty: "nothing is owed and nothing would be" },
  );

/** @param {HTMLElement} place @param {any} answer */
export function interest(place, answer) {
  const rows = Array.isArray(answer) ? answer : (answer.records ?? answer.interest ?? []);
  fill(
    place,
    table(
      "Interest of the last two days, newest first",
      [
        { title: "Hour", head: true, value: (row) => dateTime(row.hour) },
        { title: "What", value: (row) => `${row.state}${row.estimated ? " (estimated)" : ""}` },
        { title: "Currency", value: (row) => row.currency },
        { title: "Pair", value: (row) => row.instrument ?? "cross" },
        { title: "Amount", number: true, value: (row) => coin(row.amount, "up") },
        { title: "Liability", number: true, value: (row) => coin(row.liability, "up") },
        { title: "Free part", number: true, value: (row) => coin(row.free) },
        { title: "Rate a year", number: true, value: (row) => share(row.yearly_rate) },
      ],
      rows,
      { empty: "none was charged" },
    ),
    answer.due?.length
      ? table(
          "Accrued and not deducted yet",
          [
            { title: "Currency", head: true, value: (row) => row.currency },
            { title: "Amount", number: true, value: (row) => coin(row.amount, "up") },
            { title: "Hour", number: true, value: (row) => dateTime(row.hour) },
          ],
          /** @type {any[]} */ (answer.due),
          { shown: true },
        )
      : null,
    answer.complete === false
      ? h("p", { class: "foot" }, icon("trouble"), " Older records are not shown.")
      : null,
  );
}
