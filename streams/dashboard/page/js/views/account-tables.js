/** The tables of one account. */

import { badge, fill, figures, h, table } from "../dom.js";
import { asked, coin, dateTime, decimal, has, percent, price, words } from "../format.js";

/** @typedef {import("../types.js").Decimal} Decimal */

/** @param {any} assessment */
export function figuresOf(assessment) {
  const usd = (/** @type {Decimal} */ value) => [value, h("span", { class: "unit" }, " USD")];
  /** @type {[string, string, (value: Decimal) => string, string][]} */
  const pairs = [
    [
      "Adjusted equity",
      "adjusted_equity",
      has,
      "AE-1: collateral after its haircuts, less what open orders hold",
    ],
    ["Maintenance margin", "maintenance_margin", asked, "MM-1"],
    ["Liquidation fee", "liquidation_fee", asked, "MM-4"],
    ["Total equity", "total_equity", has, "AE-3: all currencies at their price, collateral or not"],
    ["Initial margin", "initial_margin", asked, "IM-1"],
    ["Available margin", "available_margin", has, "MR-2"],
    ["Position value", "position_value", asked, "MR-2: cross positions and potential borrowing"],
    ["Spot order loss", "spot_order_loss", asked, "AE-2"],
    ["Frozen", "frozen", asked, "CU-4: what open orders hold"],
    ["Estimated fees", "estimated_fees", asked, "AE-1"],
  ];
  return figures([
    ...pairs.map(
      ([name, field, shown, hint]) =>
        /** @type {[string, any, string]} */ ([
          name,
          usd(h("span", { "data-figure": field, title: assessment[field] }, shown(assessment[field]))),
          hint,
        ]),
    ),
    [
      "Leverage",
      assessment.leverage === null || assessment.leverage === undefined
        ? "–"
        : `${decimal(assessment.leverage, 2, { rounding: "up" })} ×`,
      "MR-2",
    ],
  ]);
}

/** Liquidation price, and how it changes when open orders fill. @param {any} row */
function liquidation(row) {
  if (row.liquidation_price === null || row.liquidation_price === undefined)
    return h(
      "span",
      { class: "muted", title: "No price of this underlying alone brings the ratio to 100 %" },
      "none",
    );
  const filled = [
    ["buys", row.liquidation_price_buys_filled],
    ["sells", row.liquidation_price_sells_filled],
  ]
    .filter(([, value]) => value && value !== row.liquidation_price)
    .map(([name, value]) => h("span", { class: "muted small" }, ` ${price(value)} with open ${name} filled`));
  return [h("b", null, price(row.liquidation_price)), filled];
}

/** @param {any} row */
const side = (row) =>
  row.position_side === "net"
    ? String(row.quantity).startsWith("-")
      ? "short (net)"
      : "long (net)"
    : row.position_side;
/** In portfolio mode margin is asked of the risk unit, and there is no tier. @param {any} row @param {string} field */
const margin = (row, field) => (row.tier ? asked(row[field]) : "in its unit");
/** @param {any} row */
const tier = (row) => (row.beyond_last_tier ? `${row.tier}, beyond the last` : String(row.tier));
const LIQUIDATION =
  "Mark price at which the ratio is 100 % when the index and all marks of the underlying move together";

/** @param {HTMLElement} place @param {any[]} rows */
export function positions(place, rows) {
  fill(
    place,
    table(
      "Cross positions",
      [
        { title: "Instrument", head: true, value: (row) => row.instrument },
        { title: "Side", value: side },
        { title: "Contracts", number: true, value: (row) => coin(row.quantity, "near") },
        { title: "Notional, USD", number: true, value: (row) => asked(row.notional_usd) },
        {
          title: "Unrealised PnL",
          number: true,
          hint: "In the settle coin",
          value: (row) => coin(row.unrealised_pnl),
        },
        { title: "Initial, USD", number: true, value: (row) => margin(row, "initial_margin") },
        { title: "Maintenance, USD", number: true, value: (row) => margin(row, "maintenance_margin") },
        { title: "Tier", number: true, value: (row) => (row.tier ? tier(row) : "–") },
        { title: "Liquidation price", number: true, hint: LIQUIDATION, value: liquidation },
      ],
      rows,
      { shown: true },
    ),
  );
}

/** @param {HTMLElement} place @param {any[]} rows */
export function isolated(place, rows) {
  if (!rows.length) return fill(place);
  fill(
    place,
    table(
      "Isolated positions, each with its own ratio",
      [
        { title: "Instrument", head: true, value: (row) => row.instrument },
        { title: "Side", value: side },
        { title: "Band", value: (row) => badge(row.band) },
        { title: "Ratio", number: true, value: (row) => h("b", null, percent(row.ratio)) },
        { title: "Quantity", number: true, value: (row) => coin(row.quantity, "near") },
        { title: "Margin", number: true, value: (row) => `${coin(row.margin)} ${row.margin_currency}` },
        { title: "Unrealised PnL", number: true, value: (row) => coin(row.unrealised_pnl) },
        {
          title: "Owed",
          number: true,
          value: (row) =>
            row.liability_currency ? `${coin(row.liability, "up")} ${row.liability_currency}` : "–",
        },
        { title: "Maintenance, USD", number: true, value: (row) => asked(row.maintenance_margin) },
        { title: "Fee, USD", number: true, value: (row) => asked(row.liquidation_fee) },
        { title: "Tier", number: true, value: tier },
        { title: "Liquidation price", number: true, value: liquidation },
      ],
      rows,
      { shown: true },
    ),
  );
}

/** @param {HTMLElement} place @param {Record<string, any>} found */
export function currencies(place, found) {
  const rows = Object.entries(found)
    .map(([name, body]) => ({ name, ...body }))
    .sort((a, b) => Math.abs(Number(b.equity_usd)) - Math.abs(Number(a.equity_usd)));
  const amount = (
    /** @type {string} */ title,
    /** @type {string} */ field,
    /** @type {"up" | "down"} */ rounding,
    /** @type {string} */ hint,
  ) => ({ title, number: true, hint, value: (/** @type {any} */ row) => coin(row[field], rounding) });
  fill(
    place,
    table(
      "Currencies, amounts in coin",
      [
        { title: "Currency", head: true, value: (row) => row.name },
        {
          title: "Equity, USD",
          number: true,
          hint: "CU-1 at the index price",
          value: (row) => has(row.equity_usd),
        },
        {
          title: "Counted, USD",
          number: true,
          hint: "CU-9: after the haircut, as collateral",
          value: (row) => has(row.discounted_equity),
        },
        { title: "Price, USD", number: true, value: (row) => price(row.price) },
        amount("Equity", "equity", "down", "CU-1"),
        amount("Cash", "cash", "down", "CU-1"),
        amount("Borrowed", "borrowed", "up", "CU-1: spot mode"),
        amount("Unrealised PnL", "unrealised_pnl", "down", "CU-2"),
        amount("Options", "options_value", "down", "CU-3"),
        amount("Interest", "accrued_interest", "up", "IN-1: accrued, not deducted yet"),
        amount("Frozen", "frozen", "up", "CU-4"),
        amount("Available equity", "available", "down", "CU-5"),
        amount("Available balance", "available_balance", "down", "CU-5"),
        amount("Liability", "liability", "up", "CU-6"),
        amount("Potential borrowing", "potential_borrowing", "up", "CU-7"),
        { title: "Borrow margin, USD", number: true, hint: "CU-8", value: (row) => asked(row.borrow_margin) },
        {
          title: "Liquidation price",
          number: true,
          hint: "Of a debt, as an index in USD",
          value: (row) => (Number(row.liability) ? liquidation(row) : "–"),
        },
      ],
      rows,
      { class: "freeze", empty: "none, or a price is missing" },
    ),
  );
}

/** @param {HTMLElement} place @param {any[]} rows */
export function orders(place, rows) {
  fill(
    place,
    table(
      "Open orders",
      [
        { title: "Order", head: true, value: (row) => row.order_id },
        { title: "Instrument", value: (row) => row.instrument },
        {
          title: "Side",
          value: (row) =>
            `${row.side}${row.position_side && row.position_side !== "net" ? ` ${row.position_side}` : ""}`,
        },
        { title: "Price", number: true, value: (row) => (row.price === null ? "market" : price(row.price)) },
        { title: "Quantity", number: true, value: (row) => coin(row.quantity, "near") },
        { title: "Filled", number: true, value: (row) => coin(row.filled_quantity, "near") },
        { title: "Margin", value: (row) => row.margin_mode },
        {
          title: "",
          value: (row) =>
            [
              row.reduce_only ? "reduce-only " : "",
              row.auto_borrow ? "auto-borrow " : "",
              row.command_id ? "from a command" : "",
            ].join(""),
        },
        { title: "Created", number: true, value: (row) => dateTime(row.created_ts) },
      ],
      rows,
      { empty: "none" },
    ),
  );
}

/** @param {HTMLElement} place @param {Record<string, any>} found */
export function settings(place, found) {
  fill(
    place,
    figures(
      Object.entries(found)
        .sort(([, a], [, b]) => Number(typeof a === "object") - Number(typeof b === "object"))
        .map(([name, value]) => [words(name), text(value)]),
    ),
  );
}

/** @param {any} value @returns {any} */
function text(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.join(", ") : "none";
  if (typeof value === "object")
    return Object.keys(value).length
      ? Object.entries(value).map(([name, one]) => h("div", null, `${name} ${text(one)}`))
      : "none";
  return String(value);
}
