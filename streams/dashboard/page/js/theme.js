/** Dark and light: as the system says, or as chosen here. */

import { store } from "./store.js";

const KEY = "liqmon.theme";
const CHOICES = ["auto", "light", "dark"];

/** @param {HTMLElement} button */
export function setUpTheme(button) {
  show(button, document.documentElement.dataset.theme ?? "auto");
  button.addEventListener("click", () => next(button));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => store.changed("theme"));
}

/** @param {HTMLElement} button */
function next(button) {
  const now = document.documentElement.dataset.theme ?? "auto";
  const chosen = CHOICES[(CHOICES.indexOf(now) + 1) % CHOICES.length];
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Storage is off: it holds until the tab is closed.
  }
  show(button, chosen);
  store.changed("theme");
}

/** @param {HTMLElement} button @param {string} chosen */
function show(button, chosen) {
  button.textContent = `Theme: ${chosen}`;
}

/** A colour of the style sheets, for what is drawn on a canvas. @param {string} name */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
