/** Keys: jumps, search, and moving from row to row. */

import { go } from "./router.js";

/** @type {Record<string, string>} */
const JUMPS = {
  o: "#/",
  a: "#/accounts",
  c: "#/commands",
  m: "#/map",
  w: "#/what-if",
  k: "#/checks",
  p: "#/prices",
  l: "#/workers",
};
const JUMP_MS = 1_500;

let jumpUntil = 0;

/** @param {string} id */
const press = (id) => document.getElementById(id)?.click();

/** @type {Record<string, () => void>} */
const KEYS = {
  "/": () => document.getElementById("q")?.focus(),
  p: () => press("pause"),
  t: () => press("theme"),
  "?": () => press("help"),
  g: () => {
    jumpUntil = Date.now() + JUMP_MS;
  },
};

export function setUpKeyboard() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") leave(target);
    else if (isField(target)) return;
    else if (moveRow(event, target)) event.preventDefault();
    else if (Date.now() < jumpUntil && JUMPS[event.key]) {
      jumpUntil = 0;
      event.preventDefault();
      go(JUMPS[event.key]);
    } else if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });
}

/** @param {HTMLElement} target */
const isField = (target) => target.matches("input, select, textarea");

/** Dialogs close by themselves. @param {HTMLElement} target */
function leave(target) {
  if (target.id === "q") /** @type {HTMLInputElement} */ (target).value = "";
  if (isField(target) && !target.closest("dialog")) target.blur();
}

/**
 * Rows are links in a box marked `data-rows`; the arrows go from one to the next.
 * @param {KeyboardEvent} event @param {HTMLElement} target
 */
function moveRow(event, target) {
  const inside = target.closest("[data-rows]");
  const box = inside ?? target.querySelector("[data-rows]");
  if (!box || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return false;
  if (
    !inside &&
    !target.hasAttribute("data-scroll") &&
    !target.matches("[role=grid], .tabulator-tableholder")
  )
    return false;
  const links = /** @type {HTMLElement[]} */ ([...box.querySelectorAll("a[data-key]")]);
  if (!links.length) return false;
  const current = links.findIndex((one) => one.closest("[data-row]") === target.closest("[data-row]"));
  const last = links.length - 1;
  const goal =
    { ArrowDown: current + 1, ArrowUp: current < 0 ? 0 : current - 1, Home: 0, End: last }[event.key] ?? 0;
  links[Math.max(0, Math.min(last, goal))].focus();
  return true;
}
