/** Portfolio mode: what each risk unit asks, in which scenario, and what its positions react to (PM-2, PM-3). */

import { fill, figures, h, section, svg, table } from "../dom.js";
import { asked, coin, decimal, has, share, short } from "../format.js";
import { rule } from "../parts.js";

/** @typedef {import("../types.js").Decimal} Decimal */
/** @typedef {import("../types.js").RiskUnit} RiskUnit */
/** @typedef {{name: string, meaning: string, usd: Decimal, counts: "decides" | "added" | "covered"}} Charge */

/** @type {[string, string][]} */
const CHARGES = [
  ["mr1", "price and volatility move together: the worst scenario"],
  ["mr2", "time passes, at each volatility: options lose value"],
  ["mr6", "extreme move: a share of its loss, by default half"],
  ["mr3", "term of volatility: tenors move apart"],
  ["mr4", "basis: futures and perpetuals leave the index"],
  ["mr5", "interest rates move"],
  ["mr9", "stablecoins that hedge each other"],
  ["mr7", "minimum charge"],
];
/** PM-2: of these the largest counts, and what is not among them is added. */
const LARGEST_OF = ["mr1", "mr2", "mr6"];
const MINIMUM = "mr7";
const VOLATILITIES = ["down", "same", "up"];
/** @type {[string, string, string][]} */
const GREEKS = [
  ["delta", "Delta, USD", "Of the whole price: a hundredth of it is gained when the underlying rises by 1 %"],
  ["gamma", "Gamma, USD", "Change of delta when the underlying rises by 1 %"],
  ["vega", "Vega, USD", "Gain when volatility rises by one point"],
  ["theta", "Theta, USD", "Gain as a day passes, all else standing"],
];
/** @type {Record<string, string>} */
const FILLED = {
  none: "",
  buys: "With its open buys filled, which asks for more than without. ",
  sells: "With its open sells filled, which asks for more than without. ",
};
const HEATS = 4;
/** What a cell shows above this is in k or M. */
const LONG_FIGURE = 1e5;
const MANY_DOLLARS = 1000;

/**
 * All units of an account; nothing for other modes.
 * @param {HTMLElement} place @param {Record<string, RiskUnit> | null | undefined} found
 * @param {{mode: string, unpriced?: string[], borrowing_margin?: any}} account
 */
export function riskUnits(place, found, account) {
  if (account.mode !== "portfolio") return fill(place);
  const units = Object.entries(found ?? {});
  fill(
    place,
    section("Risk units", {}, borrowing(account), units.length ? unitParts(units) : nothing(account.unpriced ?? [])),
  );
}

/** MR8 is the account's, not a unit's. @param {{borrowing_margin?: any}} account */
function borrowing({ borrowing_margin: margin }) {
  if (!margin) return null;
  return h(
    "p",
    { class: "decided" },
    "The account's maintenance margin is that of its units",
    Number(margin.maintenance_margin)
      ? ` and ${asked(margin.maintenance_margin)} USD for what it borrows (MR8). `
      : "; it borrows nothing (MR8). ",
    rule("PM-2"),
  );
}

/** @param {[string, RiskUnit][]} units @param {string} [when] */
export const unitParts = (units, when = "") => [summary(units, when), units.map(([name, unit]) => one(name, unit, when))];

/** @param {string[]} missing */
const nothing = (missing) =>
  h(
    "p",
    { class: "empty" },
    missing.length
      ? `Not worked out: no price or parameter of ${missing.join(", ")}.`
      : "None: no derivative is held or ordered.",
  );

/** @param {[string, RiskUnit][]} units @param {string} when */
const summary = (units, when) =>
  table(
    `By underlying${when}`,
    [
      { title: "Unit", head: true, value: ([name]) => name },
      { title: "Maintenance, USD", number: true, hint: "PM-2", value: ([, unit]) => asked(unit.maintenance_margin) },
      { title: "Initial, USD", number: true, hint: "PM-2", value: ([, unit]) => asked(unit.initial_margin) },
      { title: "Decided by", value: ([, unit]) => deciding(unit).name },
      { title: "Worst scenario, USD", number: true, hint: "PM-3", value: ([, unit]) => has(unit.worst.pnl) },
      ...greeks(([, unit]) => unit),
    ],
    units,
    { shown: true, class: "freeze" },
  );

/**
 * @template Row
 * @param {(row: Row) => any} of
 * @returns {import("../dom.js").Column<Row>[]}
 */
const greeks = (of) =>
  GREEKS.map(([field, title, hint]) => ({
    title,
    hint,
    number: true,
    value: (row) => decimal(of(row)[field], 2, { rounding: "near" }),
  }));

/** @param {string} name @param {RiskUnit} unit @param {string} when */
function one(name, unit, when) {
  return h(
    "div",
    { class: "unit-part", "data-unit": name },
    h("h3", null, `${name}${when}`),
    h("p", { class: "decided" }, decided(unit)),
    facts(unit),
    heatMap(name, unit, when),
    h("p", { class: "foot" }, extreme(unit)),
    chargeTable(name, unit, when),
    positionTable(name, unit, when),
  );
}

/** @param {RiskUnit} unit */
const facts = (unit) =>
  figures([
    ["Maintenance margin", usd(asked(unit.maintenance_margin)), "PM-2"],
    ["Initial margin", usd(asked(unit.initial_margin)), "PM-2: 1.3 × maintenance by default"],
    ["Spot in use", coin(unit.spot_in_use), "PM-1: coin that offsets the delta of derivatives"],
  ]);

/** @param {string} text */
const usd = (text) => [text, h("span", { class: "unit" }, " USD")];

// -- what decides ---------------------------------------------------------------------------

/** @param {RiskUnit} unit @returns {Charge[]} */
function charges(unit) {
  const of = (/** @type {string} */ field) => Number(unit.charges[field] ?? 0);
  const largest = LARGEST_OF.reduce((best, field) => (of(field) > of(best) ? field : best));
  const others = CHARGES.map(([field]) => field).filter((f) => !LARGEST_OF.includes(f) && f !== MINIMUM);
  const sum = of(largest) + others.reduce((total, field) => total + of(field), 0);
  const least = of(MINIMUM) > sum;
  return CHARGES.map(([field, meaning]) => ({
    name: field.toUpperCase(),
    meaning,
    usd: unit.charges[field],
    counts:
      field === (least ? MINIMUM : largest) ? "decides" : !least && others.includes(field) ? "added" : "covered",
  }));
}

/** @param {RiskUnit} unit */
const deciding = (unit) => /** @type {Charge} */ (charges(unit).find((charge) => charge.counts === "decides"));

/** @param {RiskUnit} unit */
function decided(unit) {
  const found = deciding(unit);
  const added = charges(unit).filter((charge) => charge.counts === "added" && Number(charge.usd));
  const parts = added.map((charge) => ` + ${charge.name} ${asked(charge.usd)}`).join("");
  return [
    `${asked(unit.maintenance_margin)} USD of maintenance margin: ${found.name} ${asked(found.usd)}${parts}. `,
    `${found.name} decides (${found.meaning}). `,
    FILLED[unit.filled ?? "none"],
    rule("PM-2"),
  ];
}

/** @param {string} name @param {RiskUnit} unit @param {string} when */
function chargeTable(name, unit, when) {
  const rows = charges(unit);
  const most = Math.max(...rows.map((row) => Number(row.usd)), 0);
  return table(
    `${name}: charges${when}`,
    [
      { title: "Charge", head: true, value: (row) => row.name },
      { title: "USD", number: true, value: (row) => asked(row.usd) },
      { title: "Size", value: (row) => bar(most ? Number(row.usd) / most : 0) },
      { title: "Counts", value: (row) => (row.counts === "decides" ? h("b", null, "◀ decides") : row.counts) },
      { title: "What for", value: (row) => h("span", { class: "muted" }, row.meaning) },
    ],
    rows,
    { shown: true, class: "charges" },
  );
}

/** @param {number} part */
const bar = (part) =>
  svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: (100 * Math.max(0, part)).toFixed(1), height: 8, fill: "currentColor" }),
  );

// -- scenarios ------------------------------------------------------------------------------

/** @param {string} name @param {RiskUnit} unit @param {string} when */
function heatMap(name, unit, when) {
  const shocks = Object.keys(unit.scenarios.same ?? {}).sort((a, b) => Number(a) - Number(b));
  if (!shocks.length) return h("p", { class: "empty" }, `${name}: no scenarios.`);
  const all = VOLATILITIES.flatMap((vol) => shocks.map((shock) => Number(unit.scenarios[vol]?.[shock] ?? 0)));
  const most = Math.max(...all.map(Math.abs));
  const caption = `${name}: gain or loss by move of price and volatility, USD${when}`;
  const head = h(
    "tr",
    null,
    h("th", { scope: "col" }, "Volatility"),
    shocks.map((shock) =>
      h("th", { scope: "col", class: "number" }, h("span", { class: "hidden" }, "Price "), moveOf(shock)),
    ),
  );
  const rows = VOLATILITIES.map((vol) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, h("span", { class: "hidden" }, "Volatility "), vol),
      shocks.map((shock) => cell(unit, vol, shock, most)),
    ),
  );
  return [
    h(
      "div",
      {
        class: "scroll freeze",
        role: "region",
        "aria-label": caption,
        tabindex: "0",
        "data-scroll": caption,
        "data-key": `box ${caption}`,
      },
      h("table", { class: "heat" }, h("caption", null, caption), h("thead", null, head), h("tbody", null, rows)),
    ),
    legend(),
  ];
}

/** @param {RiskUnit} unit @param {string} vol @param {string} shock @param {number} most */
function cell(unit, vol, shock, most) {
  const pnl = unit.scenarios[vol]?.[shock];
  const worst = unit.worst.volatility === vol && Number(unit.worst.spot) === Number(shock) && Number(unit.worst.pnl) < 0;
  return h(
    "td",
    { class: `number${worst ? " worst" : ""}`, "data-heat": heat(Number(pnl ?? 0), most), title: pnl },
    amount(pnl, most),
    worst ? h("span", { class: "mark" }, "▼ worst") : null,
  );
}

/** From −4, the largest loss, to 4, the largest gain. @param {number} pnl @param {number} most */
function heat(pnl, most) {
  if (!pnl || !most) return 0;
  return Math.sign(pnl) * Math.ceil((HEATS * Math.abs(pnl)) / most);
}

/** @param {Decimal} pnl @param {number} most */
function amount(pnl, most) {
  if (most >= LONG_FIGURE) return short(pnl);
  return decimal(pnl, most >= MANY_DOLLARS ? 0 : 2);
}

/** @param {Decimal} shock */
const moveOf = (shock) => share(shock, { plus: true, trim: true });

const legend = () =>
  h(
    "p",
    { class: "foot heat-legend" },
    "Loss ",
    Array.from({ length: 2 * HEATS + 1 }, (_, at) =>
      h("span", { class: "swatch", "aria-hidden": "true", "data-heat": at - HEATS }),
    ),
    " gain; the worst cell has a frame and is named.",
  );

/** @param {RiskUnit} unit */
function extreme(unit) {
  const { spot, pnl } = unit.extreme;
  const move = moveOf(spot);
  if (Number(pnl) >= 0) return "The extreme moves of the price would cost nothing.";
  return [
    `The worse extreme move, ${move}, would cost ${asked(String(pnl).replace("-", ""))} USD; MR6 is ${asked(unit.charges.mr6)} USD of that. `,
    rule("PM-4"),
  ];
}

// -- positions ------------------------------------------------------------------------------

/** @param {string} name @param {RiskUnit} unit @param {string} when */
const positionTable = (name, unit, when) =>
  table(
    `${name}: what its positions react to${when}`,
    [
      { title: "Instrument", head: true, value: (row) => row.instrument },
      { title: "Side", value: sideOf },
      { title: "Contracts", number: true, value: (row) => coin(row.quantity, "near") },
      ...greeks((/** @type {any} */ row) => row),
      {
        title: "Implied volatility",
        number: true,
        hint: "Of an option's mark",
        value: (row) => (row.implied_volatility ? share(row.implied_volatility, { places: 1 }) : "–"),
      },
    ],
    unit.positions,
    { shown: true, class: "freeze" },
  );

/** @param {any} row */
function sideOf(row) {
  if (row.position_side !== "net") return row.position_side;
  return String(row.quantity).startsWith("-") ? "short (net)" : "long (net)";
}
