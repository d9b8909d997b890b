/** Every command that is still known, newest first, by kind and account. */

import { get } from "../api.js";
import { fill, h, section } from "../dom.js";
import { failed, feedLine } from "../parts.js";
import { go, link } from "../router.js";
import { store } from "../store.js";

const PAGE = 100;
const KINDS = ["", "warning", "order_cancel", "reduction", "auto_exchange", "episode"];

/** @param {HTMLElement} root @param {import("../router.js").Route} route */
export function mount(root, route) {
  const asks = {
    kind: route.query.get("kind") ?? "",
    account: route.query.get("account") ?? "",
    before: route.query.get("before") ?? "",
  };
  const kind = h(
    "select",
    { id: "kind" },
    KINDS.map((name) => h("option", { value: name }, name.replace("_", " ") || "all kinds")),
  );
  const account = h("input", { id: "of-account", type: "search", value: asks.account, spellcheck: "false" });
  kind.value = asks.kind;
  const place = h("div", { class: "place" });
  const pager = h("div", { class: "row pager" });
  root.replaceChildren(
    h("h1", null, "Commands"),
    section(
      "Newest first",
      { id: "list" },
      h(
        "form",
        {
          class: "row filters",
          onsubmit: (/** @type {Event} */ event) => {
            event.preventDefault();
            go(link("commands", { kind: kind.value, account: account.value.trim() }));
          },
        },
        h("label", { for: "kind" }, "Kind"),
        kind,
        h("label", { for: "of-account" }, "Account"),
        account,
        h("button", { class: "main" }, "Show"),
      ),
      place,
      pager,
    ),
  );
  let ended = false;
  const load = async () => {
    try {
      const { commands, next } = await get("commands", { ...asks, limit: PAGE });
      if (ended) return;
      fill(
        place,
        commands.length
          ? h(
              "ol",
              { class: "feed long", "data-rows": "", "aria-label": "Commands, newest first" },
              commands.map(feedLine),
            )
          : h("p", { class: "empty" }, "No command answers this question."),
      );
      fill(
        pager,
        next
          ? h(
              "a",
              { class: "button", href: link("commands", { ...asks, before: next }), rel: "next" },
              "Older →",
            )
          : null,
      );
    } catch (error) {
      failed(place, error);
    }
  };
  void load();
  let due = 0;
  const end = store.on(["commands"], () => {
    if (asks.before || Date.now() < due) return;
    due = Date.now() + 1_000;
    setTimeout(load, 1_000);
  });
  return {
    title: "Commands",
    unmount() {
      ended = true;
      end();
    },
  };
}
