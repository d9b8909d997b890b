/** The live link: server-sent events, opened again whenever they end, with an honest state. */

import { ApiError, get, streamAddress } from "./api.js";
import { store } from "./store.js";

/** The server speaks every second; after this long without a word the figures are called stale. */
const STALE_MS = 4_000;
/** A link that stays silent for so long is dead, whatever the browser believes of it. */
const DEAD_MS = 15_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;
const COMMANDS = 200;
const NEAREST = 50;

let retryMs = FIRST_RETRY_MS;
let opened = 0;
/** @type {EventSource | null} */
let source = null;

export function connect() {
  void load();
  open();
  setInterval(watch, 1_000);
}

/** What is there already, before the first event comes; also after a link was lost. */
async function load() {
  try {
    const [overview, accounts, commands] = await Promise.all([
      get("overview"),
      get("accounts", { limit: NEAREST }),
      get("commands", { limit: COMMANDS }),
    ]);
    store.takeOverview(overview);
    store.takeNearest(accounts.accounts);
    store.takeCommands(commands.commands);
  } catch (error) {
    store.takeTrouble(error instanceof ApiError ? error.message : String(error));
  }
}

function open() {
  source?.close();
  opened = Date.now();
  source = new EventSource(streamAddress("stream"));
  listen(source, "overview", (body) => store.takeOverview(body));
  listen(source, "accounts", (body) => store.takeNearest(Array.isArray(body) ? body : body.accounts));
  listen(source, "command", (body) => store.takeCommands([body]));
  source.onerror = () => {
    // The browser tries again by itself unless the answer was no stream at all.
    if (source?.readyState === EventSource.CLOSED) later();
  };
}

/** @param {EventSource} events @param {string} name @param {(body: any) => void} take */
function listen(events, name, take) {
  events.addEventListener(name, (message) => {
    store.heard = Date.now();
    retryMs = FIRST_RETRY_MS;
    store.setLink("live");
    take(JSON.parse(message.data));
  });
}

function later() {
  source?.close();
  source = null;
  setTimeout(again, retryMs);
  retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
}

function again() {
  open();
  void load();
}

function watch() {
  const silent = Date.now() - Math.max(store.heard, opened);
  if (silent > STALE_MS) store.setLink("stale");
  if (silent > DEAD_MS && source !== null) later();
  if (store.link === "stale") store.changed("link");
}
