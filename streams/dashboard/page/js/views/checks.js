/** Questions before the act: an order, a borrowing, a withdrawal, a repayment. */

import { ApiError, post } from "../api.js";
import { fill, h, icon, section } from "../dom.js";
import { link, replace } from "../router.js";
import { store } from "../store.js";
import { answerNodes } from "./check-answer.js";

/** @typedef {{name: string, label: string, type?: string, choices?: string[], needed?: boolean, list?: boolean, hint?: string}} Field */

/** @type {Record<string, {title: string, path: string, fields: Field[]}>} */
const KINDS = {
  order: {
    title: "Order",
    path: "check-order",
    fields: [
      { name: "instrument", label: "Instrument", needed: true, list: true },
      { name: "side", label: "Side", choices: ["buy", "sell"] },
      {
        name: "quantity",
        label: "Quantity",
        type: "decimal",
        needed: true,
        hint: "base coin for spot, contracts for derivatives",
      },
      { name: "price", label: "Price", type: "decimal", hint: "empty: a market order" },
      { name: "position_side", label: "Position side", choices: ["net", "long", "short"] },
      { name: "margin_mode", label: "Margin", choices: ["cross", "isolated"] },
      { name: "leverage", label: "Leverage", type: "decimal", hint: "empty: as set" },
      { name: "auto_borrow", label: "Auto-borrow", choices: ["as the account", "yes", "no"] },
      { name: "reduce_only", label: "Reduce-only", choices: ["no", "yes"] },
      { name: "order_id", label: "Changes order", hint: "id of an open order; empty: a new one" },
    ],
  },
  borrow: {
    title: "Borrow",
    path: "check-borrow",
    fields: [
      { name: "currency", label: "Currency", needed: true },
      { name: "amount", label: "Amount", type: "decimal", needed: true },
    ],
  },
  withdrawal: {
    title: "Withdrawal",
    path: "check-withdrawal",
    fields: [
      { name: "currency", label: "Currency", needed: true },
      { name: "amount", label: "Amount", type: "decimal", needed: true },
    ],
  },
  repay: {
    title: "Repay plan",
    path: "repay-plan",
    fields: [
      { name: "currency", label: "Owed currency", needed: true },
      { name: "amount", label: "Amount", type: "decimal", hint: "empty: the whole debt" },
      {
        name: "assets",
        label: "Sell, in this order",
        hint: "BTC, ETH; empty: out of the coin's own balance",
      },
    ],
  },
};

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const kind = KINDS[route.query.get("kind") ?? ""] ? (route.query.get("kind") ?? "order") : "order";
  const described = KINDS[kind];
  const account = h("input", {
    id: "check-account",
    value: route.query.get("account") ?? "",
    required: true,
    spellcheck: "false",
  });
  const names = h("datalist", { id: "instruments" });
  const inputs = described.fields.map((field) => input(field, route.query.get(field.name)));
  const place = h("div", { class: "place", "aria-live": "polite" });
  const form = h(
    "form",
    {
      class: "check",
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const body = question(described.fields, inputs);
        replace(link("checks", { kind, account: account.value.trim(), ...body }));
        await ask(place, described.path, account.value.trim(), body, described.fields);
      },
    },
    labelled("check-account", "Account", "", account),
    described.fields.map((one, at) => labelled(`f-${one.name}`, one.label, one.hint ?? "", inputs[at])),
    names,
    h(
      "div",
      { class: "row" },
      h("button", { class: "main" }, kind === "repay" ? "Make the plan" : "Check it"),
      h("span", { class: "muted" }, "A question only: nothing is sent."),
    ),
  );
  root.replaceChildren(
    h("h1", null, "Checks before the act"),
    h(
      "nav",
      { class: "row tabs", "aria-label": "Kinds of check" },
      Object.entries(KINDS).map(([name, one]) =>
        h(
          "a",
          {
            href: link("checks", { kind: name, account: account.value }),
            "aria-current": name === kind ? "page" : null,
          },
          one.title,
        ),
      ),
    ),
    section(described.title, { id: "form" }, form),
    section("Answer", {}, place),
  );
  fill(
    place,
    h("p", { class: "empty" }, "Asked of the account as it stands now, at the prices of this moment."),
  );
  const offer = () =>
    fill(
      names,
      instruments().map((name) => h("option", { value: name })),
    );
  offer();
  return { title: described.title, unmount: store.on(["overview"], offer) };
}

function instruments() {
  const prices = store.overview?.prices ?? [];
  const marks = prices.filter((one) => one.kind === "mark").map((one) => one.symbol);
  const pairs = prices
    .filter((one) => one.kind === "index" && one.symbol.endsWith("-USD") && one.symbol !== "USDT-USD")
    .map((one) => `${one.symbol}T`);
  return [...pairs, ...marks];
}

/** @param {Field} field @param {string | null} value */
function input(field, value) {
  const id = `f-${field.name}`;
  const hint = field.hint ? `${id}-hint` : null;
  if (field.choices) {
    const select = h(
      "select",
      { id, "aria-describedby": hint },
      field.choices.map((one) => h("option", { value: one }, one)),
    );
    if (value !== null) select.value = { true: "yes", false: "no" }[value] ?? value;
    return select;
  }
  return h("input", {
    id,
    value: value ?? "",
    required: field.needed,
    list: field.list ? "instruments" : null,
    inputmode: field.type === "decimal" ? "decimal" : null,
    pattern: field.type === "decimal" ? "[0-9]+(\\.[0-9]+)?" : null,
    title: field.type === "decimal" ? "a positive number, 1234.5" : null,
    spellcheck: "false",
    "aria-describedby": hint,
  });
}

/** @param {string} id @param {string} label @param {string} hint @param {HTMLElement} entry */
const labelled = (id, label, hint, entry) =>
  h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    entry,
    hint ? h("small", { id: `${id}-hint` }, hint) : null,
  );

/** @param {Field[]} fields @param {any[]} inputs */
function question(fields, inputs) {
  /** @type {Record<string, any>} */
  const body = {};
  fields.forEach((field, at) => {
    const value = inputs[at].value.trim();
    if (field.name === "assets") {
      const assets = value.split(/[\s,]+/).filter(Boolean);
      if (assets.length) body.assets = assets;
    } else if (field.name === "reduce_only") body.reduce_only = value === "yes";
    else if (field.name === "auto_borrow") {
      if (value !== "as the account") body.auto_borrow = value === "yes";
    } else if (value) body[field.name] = value;
  });
  return body;
}

/** @param {HTMLElement} place @param {string} path @param {string} account @param {Record<string, any>} body @param {Field[]} fields */
async function ask(place, path, account, body, fields) {
  try {
    fill(place, ...answerNodes(await post(`accounts/${encodeURIComponent(account)}/${path}`, body)));
  } catch (error) {
    const named =
      error instanceof ApiError && error.field ? fields.find((one) => error.field?.includes(one.name)) : null;
    const text = error instanceof Error ? error.message : String(error);
    fill(
      place,
      h("p", { class: "error", role: "alert" }, icon("trouble"), named ? `${named.label}: ${text}` : text),
    );
    if (named) document.getElementById(`f-${named.name}`)?.focus();
  }
}
