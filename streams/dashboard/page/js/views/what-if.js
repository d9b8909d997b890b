/** What if prices moved: sliders, presets, and which accounts fall. */

import { post } from "../api.js";
import { fill, h, section } from "../dom.js";
import { count, decimal, plural } from "../format.js";
import { grid } from "../grid.js";
import { failed } from "../parts.js";
import { link, replace } from "../router.js";
import { store } from "../store.js";
import { underlyings } from "./map.js";
import { COLUMNS, showTold } from "./what-if-answer.js";

/** Per cent by coin. @typedef {Record<string, number>} Shocks */

const WAIT_MS = 350;
const SLIDERS_SHOWN = 8;
const STABLE = new Set(["USDT", "USDC", "DAI", "TUSD", "FDUSD", "PYUSD", "USDE", "USDG"]);
const NOTHING_ASKED =
  "Move a slider or take a preset: every account is then assessed at the moved prices. Nothing is sent to anybody.";

/** @type {[string, (coins: string[]) => Shocks][]} */
const PRESETS = [
  [
    "All −10 %",
    (coins) => Object.fromEntries(coins.filter((coin) => !STABLE.has(coin)).map((coin) => [coin, -10])),
  ],
  ["FTX, worst day: BTC −26 %, SOL −71 %", () => ({ BTC: -26, SOL: -71 })],
  ["Tariff crash: BTC −11 %, ETH −24 %", () => ({ BTC: -11, ETH: -24 })],
  ["Nothing", () => ({})],
];

/** `BTC:-0.1,ETH:-0.24`, as it stands in the address. @param {string | null} text @returns {Shocks} */
function read(text) {
  const pairs = (text ?? "").split(",").map((part) => part.split(":"));
  const known = pairs.filter(([coin, move]) => coin && Number.isFinite(Number(move)));
  return Object.fromEntries(known.map(([coin, move]) => [coin, Math.round(Number(move) * 10_000) / 100]));
}

/** -26 % as the API has it: `-0.26`. @param {number} shock */
const relative = (shock) =>
  decimal(shock / 100, 6, { trim: true, rounding: "near" })
    .replaceAll(",", "")
    .replace("−", "-");

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const view = new WhatIf(read(route.query.get("shocks")), route.query.get("account") ?? "");
  root.replaceChildren(...view.nodes());
  view.offer();
  void view.run();
  const end = store.on(["overview"], () => view.offer());
  return {
    title: "What if",
    unmount() {
      end();
      view.end();
    },
  };
}

class WhatIf {
  #sliders = h("div", { class: "sliders" });
  #places = Object.fromEntries(
    ["told", "bands", "fallen", "said"].map((name) => [name, h("div", { class: "place" })]),
  );
  /** @type {Awaited<ReturnType<typeof grid>> | null} */
  #table = null;
  #ended = false;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #offered = "";

  /** @param {Shocks} shocks @param {string} account */
  constructor(shocks, account) {
    this.shocks = shocks;
    this.only = h("input", {
      id: "only",
      type: "search",
      value: account,
      placeholder: "all accounts",
      spellcheck: "false",
      onchange: () => this.changed(),
    });
  }

  nodes() {
    const { told, bands, said, fallen } = this.#places;
    const presets = PRESETS.map(([text, make]) =>
      h("button", { type: "button", onclick: () => this.take(make(underlyings())) }, text),
    );
    return [
      h("h1", null, "What if"),
      section(
        "Prices move by",
        { id: "shocks" },
        h("div", { class: "row presets", role: "group", "aria-label": "Presets" }, presets),
        this.#sliders,
        h("div", { class: "row filters" }, h("label", { for: "only" }, "Only account"), this.only),
      ),
      section("Then", {}, told, bands),
      section("Accounts that change their band, worst first", { id: "fallen" }, said, fallen),
    ];
  }

  /** @param {Shocks} shocks */
  take(shocks) {
    this.shocks = shocks;
    this.offer(true);
    this.changed();
  }

  /** Make the sliders, where other coins came up or they are to be set anew. @param {boolean} [anew] */
  offer(anew = false) {
    const known = underlyings();
    const coins = [...known, ...Object.keys(this.shocks).filter((coin) => !known.includes(coin))];
    if (!anew && coins.join() === this.#offered) return;
    this.#offered = coins.join();
    const all = coins.map((coin) =>
      slider(coin, this.shocks[coin] ?? 0, (value) => {
        this.shocks[coin] = value;
        this.changed();
      }),
    );
    const open = coins.slice(SLIDERS_SHOWN).some((coin) => this.shocks[coin]);
    const more = all.slice(SLIDERS_SHOWN);
    this.#sliders.replaceChildren(
      ...all.slice(0, SLIDERS_SHOWN),
      ...(more.length
        ? [
            h(
              "details",
              { open },
              h("summary", null, `${more.length} more`),
              h("div", { class: "sliders" }, more),
            ),
          ]
        : []),
    );
  }

  changed() {
    this.shocks = Object.fromEntries(Object.entries(this.shocks).filter(([, value]) => value));
    const text = Object.entries(this.shocks).map(([coin, value]) => `${coin}:${relative(value)}`);
    replace(link("what-if", { shocks: text.join(","), account: this.only.value.trim() }));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.run(), WAIT_MS);
  }

  async run() {
    this.#running?.abort();
    const { signal } = (this.#running = new AbortController());
    if (!Object.keys(this.shocks).length) return this.#showNothing();
    const { told } = this.#places;
    const started = performance.now();
    told.setAttribute("aria-busy", "true");
    try {
      const answer = await post("what-if", this.#question(), signal);
      if (!this.#ended) await this.#show(answer, performance.now() - started);
    } catch (error) {
      if (!signal.aborted) failed(told, error);
    } finally {
      told.removeAttribute("aria-busy");
    }
  }

  #question() {
    const account = this.only.value.trim();
    const shocks = Object.fromEntries(
      Object.entries(this.shocks).map(([coin, value]) => [coin, relative(value)]),
    );
    return account ? { shocks, account_id: account } : { shocks };
  }

  /** @param {any} answer @param {number} tookMs */
  async #show(answer, tookMs) {
    const { fallen, said } = this.#places;
    showTold(this.#places, answer, this.shocks, tookMs);
    this.#table ??= await grid(fallen, "Accounts that change their band, worst first", COLUMNS, {
      key: (row) => row.account_id,
      empty: "No account changes its band",
      height: "420px",
    });
    await this.#table.show(answer.moved);
    const all = plural(answer.moved_total ?? answer.moved.length, "account");
    fill(said, h("p", { class: "foot" }, `${all} in all, ${count(answer.moved.length)} shown.`));
  }

  async #showNothing() {
    const { told, bands, said } = this.#places;
    fill(told, h("p", { class: "empty" }, NOTHING_ASKED));
    fill(bands);
    fill(said);
    await this.#table?.show([]);
  }

  end() {
    this.#ended = true;
    this.#running?.abort();
    clearTimeout(this.#timer);
    this.#table?.destroy();
  }
}

/** @param {string} coin @param {number} value @param {(value: number) => void} take */
function slider(coin, value, take) {
  const id = `shock-${coin}`;
  const range = h("input", {
    type: "range",
    id,
    min: -90,
    max: 90,
    step: 1,
    oninput: () => set(Number(range.value)),
  });
  const box = h("input", {
    type: "number",
    min: -99,
    max: 500,
    step: 0.01,
    "aria-label": `${coin}, per cent`,
    onchange: () => set(Number(box.value)),
  });
  const show = (/** @type {number} */ to) => {
    range.value = String(to);
    box.value = String(to);
    range.setAttribute("aria-valuetext", `${to} per cent`);
  };
  const set = (/** @type {number} */ to) => {
    show(to);
    take(to);
  };
  show(value);
  return h(
    "div",
    { class: "slider" },
    h("label", { for: id }, coin),
    range,
    box,
    h("span", { "aria-hidden": "true" }, "%"),
  );
}
