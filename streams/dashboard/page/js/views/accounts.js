/** All accounts, nearest first, a page at a time. */

import { get } from "../api.js";
import { badge, fill, h, section } from "../dom.js";
import { asked, count, duration, has, percent } from "../format.js";
import { grid } from "../grid.js";
import { account, distanceText, failed, repeat, spark } from "../parts.js";
import { go, link, parse } from "../router.js";
import { store } from "../store.js";

const PAGE = 100;
const REFRESH_MS = 2_000;
const BANDS = ["", "liquidation", "warning", "normal", "unpriced", "unassessed"];

/** @type {import("../grid.js").GridColumn[]} */
const COLUMNS = [
  { title: "Account", value: (row) => account(row.account_id, "row"), width: 150, grow: 2 },
  {
    title: "Ratio",
    number: true,
    value: (row) => (row.band === null ? "unknown" : percent(row.ratio)),
    width: 100,
  },
  { title: "Band", value: (row) => badge(row.band), width: 120 },
  { title: "Trend", value: (row) => spark(row.trend ?? []), width: 130 },
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
  {
    title: "Adjusted equity, USD",
    number: true,
    value: (row) => has(row.adjusted_equity),
    width: 160,
    grow: 2,
  },
  {
    title: "Maintenance margin, USD",
    number: true,
    value: (row) => asked(row.maintenance_margin),
    width: 180,
    grow: 2,
  },
  { title: "Age", number: true, hint: "Of these figures", value: (row) => duration(row.age_ms), width: 70 },
];

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const asks = {
    band: route.query.get("band") ?? "",
    q: route.query.get("q") ?? "",
    after: route.query.get("after") ?? "",
  };
  const band = h(
    "select",
    { id: "band", onchange: () => go(link("accounts", { band: band.value, q: q.value })) },
    BANDS.map((name) => h("option", { value: name }, name || "all bands")),
  );
  const q = h("input", {
    id: "account-q",
    type: "search",
    value: asks.q,
    placeholder: "begins with",
    spellcheck: "false",
  });
  band.value = asks.band;
  const said = h("p", { class: "foot", role: "status" });
  const place = h("div", { class: "grid-place" });
  const pager = h("div", { class: "row pager" });
  root.replaceChildren(
    h("h1", null, "Accounts"),
    section(
      "Nearest first",
      { id: "list" },
      h(
        "form",
        {
          class: "row filters",
          onsubmit: (/** @type {Event} */ event) => {
            event.preventDefault();
            go(link("accounts", { band: band.value, q: q.value.trim() }));
          },
        },
        h("label", { for: "band" }, "Band"),
        band,
        h("label", { for: "account-q" }, "Account"),
        q,
        h("button", { class: "main" }, "Show"),
      ),
      said,
      place,
      pager,
    ),
  );
  /** @type {Awaited<ReturnType<typeof grid>> | null} */
  let table = null;
  let ended = false;
  const load = async () => {
    if (ended || (store.paused && table)) return;
    try {
      const answer = await get("accounts", { ...asks, limit: PAGE });
      table ??= await grid(place, "Accounts, lowest ratio first", COLUMNS, {
        key: (row) => row.account_id,
        empty: "No account answers this question",
      });
      if (ended) return table.destroy();
      await table.show(answer.accounts);
      fill(said, told(answer, asks));
      fill(
        pager,
        asks.after
          ? h("button", { type: "button", "data-key": "back", onclick: () => history.back() }, "← Back")
          : null,
        asks.after
          ? h(
              "a",
              { href: link("accounts", { band: asks.band, q: asks.q }), "data-key": "first" },
              "First page",
            )
          : null,
        answer.next
          ? h(
              "a",
              {
                class: "button",
                href: link("accounts", { band: asks.band, q: asks.q, after: answer.next }),
                "data-key": "next",
                rel: "next",
              },
              "Next page →",
            )
          : null,
      );
    } catch (error) {
      failed(said, error);
    }
  };
  const end = repeat(load, REFRESH_MS);
  return {
    title: asks.band ? `Accounts: ${asks.band}` : "Accounts",
    unmount() {
      ended = true;
      end();
      table?.destroy();
    },
  };
}

/** @param {any} answer @param {{band: string, q: string, after: string}} asks */
function told(answer, asks) {
  const which = [asks.band, asks.q ? `beginning with “${asks.q}”` : ""].filter(Boolean).join(", ");
  if (!answer.accounts.length) return `No account${which ? ` (${which})` : ""}.`;
  const part = answer.accounts.length < answer.total ? `${count(answer.accounts.length)} shown` : "all shown";
  return `${count(answer.total)} accounts${which ? ` (${which})` : ""}, ${part}, lowest ratio first; refreshed every ${REFRESH_MS / 1000} s.`;
}

/** Where the search box leads: straight to the account when its id is given in full. @param {string} text */
export async function search(text) {
  const q = text.trim();
  const route = parse(location.hash);
  if (!q) return;
  let exact = false;
  try {
    const { accounts } = await get("accounts", { q, limit: 5 });
    exact = accounts.some((/** @type {any} */ one) => one.account_id === q);
  } catch {
    // The list says what is wrong.
  }
  go(
    exact
      ? link(`account/${encodeURIComponent(q)}`)
      : link("accounts", { band: route.name === "accounts" ? route.query.get("band") : "", q }),
  );
}
