/** Starts the page: views by address, the live link, theme and keys. */

import { onUnauthorised } from "./api.js";
import { h } from "./dom.js";
import { duration, time } from "./format.js";
import { setUpKeyboard } from "./keyboard.js";
import { start } from "./router.js";
import { store } from "./store.js";
import { connect } from "./stream.js";
import { setUpTheme } from "./theme.js";
import { search } from "./views/accounts.js";
import { stateSentence } from "./state.js";

/** @typedef {{title: string, unmount?: () => void}} Mounted */
/** @typedef {{mount: (root: HTMLElement, route: import("./router.js").Route) => Mounted}} View */

const ANNOUNCE_MS = 15_000;

/** @type {Record<string, () => Promise<View>>} */
const VIEWS = {
  overview: () => import("./views/overview.js"),
  prices: () => import("./views/overview.js"),
  workers: () => import("./views/overview.js"),
  accounts: () => import("./views/accounts.js"),
  account: () => import("./views/account.js"),
  commands: () => import("./views/commands.js"),
  map: () => import("./views/map.js"),
  "what-if": () => import("./views/what-if.js"),
  checks: () => import("./views/checks.js"),
};

const NAV = [
  ["overview", "#/", "Overview"],
  ["accounts", "#/accounts", "Accounts"],
  ["commands", "#/commands", "Commands"],
  ["map", "#/map", "Liquidation map"],
  ["what-if", "#/what-if", "What if"],
  ["checks", "#/checks", "Checks"],
];

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const main = element("main");

/** @type {Mounted | null} */
let mounted = null;
let asked = 0;

/** @param {import("./router.js").Route} route */
async function show(route) {
  const turn = ++asked;
  const first = mounted === null;
  const { mount } = await (VIEWS[route.name] ?? missing)();
  if (turn !== asked) return;
  mounted?.unmount?.();
  main.scrollTo?.(0, 0);
  scrollTo(0, 0);
  mounted = mount(main, route);
  document.title = `${mounted.title} · liqmon`;
  const current =
    route.name === "account"
      ? "accounts"
      : ["prices", "workers"].includes(route.name)
        ? "overview"
        : route.name;
  for (const link of element("nav").querySelectorAll("a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!first && document.activeElement === document.body) main.focus({ preventScroll: true });
}

/** @returns {Promise<View>} */
async function missing() {
  return {
    mount(root) {
      root.replaceChildren(
        h("h1", null, "No such page"),
        h("p", null, h("a", { href: "#/" }, "To the overview")),
      );
      return { title: "No such page" };
    },
  };
}

function showLink() {
  const pill = element("link");
  const button = element("pause");
  const waiting = store.waiting.commands.length;
  pill.className = `pill ${store.paused ? "paused" : store.link}`;
  if (store.paused) pill.textContent = `paused${waiting ? `, ${waiting} waiting` : ""}`;
  else if (store.link === "live") pill.textContent = "live";
  else if (store.link === "stale")
    pill.textContent = store.heard
      ? `stale since ${time(store.heard)} UTC (${duration(Date.now() - store.heard)})`
      : "no connection";
  else pill.textContent = "connecting";
  button.textContent = store.paused ? "Go on" : "Pause";
  button.setAttribute("aria-pressed", String(store.paused));
}

let announced = "";
let announcedAt = 0;

/** The sentence is read out when it becomes another kind of state, else now and then. */
function announce() {
  if (!store.overview || store.paused) return;
  const { text, tone } = stateSentence(store.overview);
  if (text === announced) return;
  const place = element("announce");
  if (place.dataset.tone === tone && Date.now() - announcedAt < ANNOUNCE_MS) return;
  announced = text;
  announcedAt = Date.now();
  place.dataset.tone = tone;
  place.textContent = text;
}

/** One dialog for all who ask at once. @type {Promise<string | null> | null} */
let asking = null;

function askForToken() {
  asking ??= new Promise((resolve) => {
    const box = element("token-box");
    box.addEventListener(
      "close",
      () => {
        asking = null;
        resolve(box.returnValue === "ok" ? element("token").value : null);
        if (box.returnValue === "ok") setTimeout(() => location.reload(), 50);
      },
      { once: true },
    );
    element("token").value = "";
    box.showModal();
  });
  return asking;
}

element("nav").append(
  h(
    "ul",
    null,
    NAV.map(([view, href, text]) => h("li", null, h("a", { href, "data-view": view }, text))),
  ),
);
element("skip").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  main.focus();
});
element("search").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  void search(element("q").value);
});
element("pause").addEventListener("click", () => store.pause(!store.paused));
element("help").addEventListener("click", () => element("help-box").showModal());
onUnauthorised(askForToken);
setUpTheme(element("theme"));
setUpKeyboard();
store.on(["link"], showLink);
store.on(["overview"], announce);
connect();
start((route) => void show(route));
