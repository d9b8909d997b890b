/** How everything stands, in plain words. */

import { count, dateTime, duration, percent, plural, share } from "./format.js";

/** @typedef {import("./types.js").Overview} Overview */
/** @typedef {import("./words.js").Tone} Tone */

/** Prices that stand still for longer than this make every figure one of the past. */
const STILL_MS = 10_000;
/** A worker that is silent for longer is not counted on. */
const SILENT_MS = 10_000;

/** The levels people know; a policy may set others. */
export const LEVELS = { warning: "300 %", liquidation: "100 %" };

/**
 * The state of all accounts in one sentence.
 * @param {Overview} overview @returns {{text: string, tone: Tone}}
 */
export function stateSentence(overview) {
  const { bands, accounts } = overview;
  if (!accounts)
    return { text: "No account is known yet: waiting for the first account event.", tone: "quiet" };
  const warned = bands.warning ?? 0;
  const low = bands.liquidation ?? 0;
  if (low) {
    const rest = warned ? `; ${count(warned)} ${warned === 1 ? "is" : "are"} warned` : "";
    return {
      text:
        `${count(low)} of ${plural(accounts, "account")} ${low === 1 ? "is" : "are"} at or below ${LEVELS.liquidation}: ` +
        `orders are being cancelled and positions reduced${rest}.`,
      tone: "liquidation",
    };
  }
  if (warned) {
    return {
      text:
        `${count(warned)} of ${plural(accounts, "account")} ${warned === 1 ? "is" : "are"} warned (at or below ${LEVELS.warning}); ` +
        `none is at or below ${LEVELS.liquidation}.`,
      tone: "warning",
    };
  }
  if ((bands.normal ?? 0) === 0)
    return { text: `None of ${plural(accounts, "account")} has a ratio yet.`, tone: "quiet" };
  return {
    text: `All is well: none of ${plural(accounts, "account")} is at or below ${LEVELS.warning}.`,
    tone: "normal",
  };
}

/** What keeps the figures from being the whole truth; empty when nothing does. @param {Overview} overview @returns {string[]} */
export function caveats(overview) {
  return [...serviceCaveats(overview), ...priceCaveats(overview), ...accountCaveats(overview)];
}

/** @param {Overview} overview */
function serviceCaveats(overview) {
  const states = Object.entries({ Redis: overview.redis, Kafka: overview.kafka });
  const found = states
    .filter(([, state]) => state?.startsWith("away"))
    .map(([name, state]) => `${name} is ${state}: what it tells is as of then.`);
  if (!overview.workers.some(isWatching))
    found.push("No worker is ready: nobody watches the accounts at this moment.");
  return found;
}

/** A worker that is ready, and says so every second. @param {import("./types.js").Worker} worker */
export const isWatching = (worker) => worker.state === "ready" && worker.age_ms < SILENT_MS;

/** @param {Overview} overview */
function priceCaveats(overview) {
  const still = tickAge(overview);
  const stale = overview.prices.filter((one) => one.stale).length;
  if (still === null) return ["No price has come in yet."];
  if (still > STILL_MS)
    return [`Prices have stood still for ${duration(still)}: the figures are as of then.`];
  if (!stale) return [];
  return [
    `${plural(stale, "price")} ${stale === 1 ? "is" : "are"} too old: nothing is reduced on ${stale === 1 ? "it" : "them"}.`,
  ];
}

/** @param {Overview} overview */
function accountCaveats(overview) {
  const { unpriced = 0, unassessed = 0 } = overview.bands;
  const found = [];
  if (unpriced) found.push(`${plural(unpriced, "account")} cannot be assessed, a price is missing.`);
  if (unassessed)
    found.push(`${plural(unassessed, "account")} ${unassessed === 1 ? "is" : "are"} not assessed yet.`);
  return found;
}

/** Age of the youngest price, ms. @param {Overview} overview @returns {number | null} */
export function tickAge(overview) {
  if (overview.last_tick === null || overview.last_tick === undefined) return null;
  if (typeof overview.last_tick_age_ms === "number") return overview.last_tick_age_ms;
  const ages = overview.prices.map((one) => one.age_ms);
  return ages.length ? Math.min(...ages) : Math.max(0, overview.now - overview.last_tick);
}

/** That somebody looks, when there is nothing to see. @param {Overview} overview */
export function proof(overview) {
  const { nearest } = overview;
  const near = nearest
    ? `nearest ${nearest.account_id} at ${percent(nearest.ratio)}`
    : "none of them owes anything";
  const ready = overview.workers.filter(isWatching).length;
  const age = tickAge(overview);
  return (
    `${plural(overview.accounts, "account")} checked by ${plural(ready, "worker")}, ${near}, ` +
    (age === null
      ? "no tick yet"
      : `last tick ${duration(age)} ago, ${count(Math.round(overview.ticks_per_second ?? 0))} ticks a second`)
  );
}

/** On a replay's clock commands bear recorded times, not those of the wall. @param {Overview} overview */
export const clockWords = (overview) =>
  overview.clock === "event" && overview.now ? `Recorded time ${dateTime(overview.now)}. ` : "";

/** What the market does: the coins that moved most, with their change. @param {Overview} overview */
export function marketWords(overview) {
  const moved = overview.prices
    .filter((one) => one.kind === "index" && Math.abs(Number(one.change ?? 0)) >= 0.0005)
    .sort((a, b) => Math.abs(Number(b.change)) - Math.abs(Number(a.change)));
  if (!moved.length) return "";
  const named = moved
    .slice(0, 4)
    .map((one) => `${one.symbol.replace(/-USD$/, "")} ${share(one.change, { plus: true, places: 1 })}`);
  return `Prices: ${named.join(", ")}. `;
}

/** What a band means. @type {Record<string, string>} */
export const BAND_WORDS = {
  liquidation: "At or below 100 %: orders are cancelled, then positions reduced step by step.",
  warning: "At or below 300 %: warned. Nothing is touched.",
  normal: "Above 300 %, or nothing owed. Nothing to do.",
  unpriced: "A price is missing: no ratio and no command until it comes.",
  unassessed: "Taken over just now and not looked at yet.",
};
