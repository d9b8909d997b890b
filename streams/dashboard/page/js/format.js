/**
 * Figures as people read them. Decimals stay exact: rounding is done on their digits, against the
 * account (what it has down, what is asked of it up), so that 99.999 % is never shown as 100 %.
 */

/** @typedef {import("./types.js").Decimal} Decimal */
/** @typedef {"down" | "up" | "near"} Rounding */

export const MINUS = "−";
export const NONE = "–";
/** Keeps a number and its unit on one line. */
const GAP = "\u00a0";

/**
 * A decimal as whole number and scale: value = digits / 10^scale; null when it is none.
 * @param {Decimal} value
 * @returns {{digits: bigint, scale: number} | null}
 */
function parsed(value) {
  if (value === null || value === undefined || value === "") return null;
  const text = typeof value === "number" ? plain(value) : value;
  const found = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text.trim());
  if (!found) return /^-?\d/.test(text) ? parsed(plain(Number(text))) : null;
  const fraction = found[3] ?? "";
  const digits = BigInt(found[2] + fraction);
  return { digits: found[1] ? -digits : digits, scale: fraction.length };
}

/** @param {number} value */
function plain(value) {
  if (!Number.isFinite(value)) return "";
  const text = String(value);
  return text.includes("e") ? value.toFixed(12) : text;
}

/**
 * Whole division by 10^places, rounded.
 * @returns {bigint}
 * @param {bigint} digits @param {number} places @param {Rounding} rounding
 */
function cut(digits, places, rounding) {
  if (rounding === "near" && digits < 0n) return -cut(-digits, places, rounding);
  const step = 10n ** BigInt(places);
  const rest = ((digits % step) + step) % step;
  const floor = (digits - rest) / step;
  if (rest === 0n || rounding === "down") return floor;
  if (rounding === "up") return floor + 1n;
  return rest * 2n >= step ? floor + 1n : floor;
}

/** The sum of decimals as a decimal, exact; what is none counts nothing. @param {Decimal[]} values @returns {string} */
export function sum(values) {
  const numbers = values.map(parsed).filter((one) => one !== null);
  const scale = Math.max(0, ...numbers.map((one) => one.scale));
  const total = numbers.reduce((all, one) => all + one.digits * 10n ** BigInt(scale - one.scale), 0n);
  const text = (total < 0n ? -total : total).toString().padStart(scale + 1, "0");
  const at = text.length - scale;
  return `${total < 0n ? "-" : ""}${text.slice(0, at)}${scale ? `.${text.slice(at)}` : ""}`;
}

/** @param {string} whole */
const grouped = (whole) => whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/**
 * `1,234.50`; `trim` takes the zeros at the end off.
 * @param {Decimal} value @param {number} places
 * @param {{rounding?: Rounding, trim?: boolean, shift?: number, plus?: boolean}} [how]
 */
export function decimal(value, places, { rounding = "down", trim = false, shift = 0, plus = false } = {}) {
  const number = parsed(value);
  if (number === null) return NONE;
  const shown = scaled(number.digits, number.scale - shift, places, rounding);
  const text = (shown < 0n ? -shown : shown).toString().padStart(places + 1, "0");
  const at = text.length - places;
  const fraction = trim ? text.slice(at).replace(/0+$/, "") : text.slice(at);
  const sign = shown < 0n ? MINUS : plus && shown > 0n ? "+" : "";
  return `${sign}${grouped(text.slice(0, at))}${fraction ? `.${fraction}` : ""}`;
}

/**
 * digits / 10^scale in units of 10^-places.
 * @param {bigint} digits @param {number} scale @param {number} places @param {Rounding} rounding
 */
function scaled(digits, scale, places, rounding) {
  if (scale > places) return cut(digits, scale - places, rounding);
  return digits * 10n ** BigInt(places - scale);
}

/**
 * A ratio: 1.0349 is `103.49 %`; none (nothing is owed) is `∞`.
 * @param {Decimal} ratio
 */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "∞";
  const size = Math.abs(Number(ratio));
  if (size >= 1000) return Number(ratio) > 0 ? `>${GAP}99,999${GAP}%` : `<${GAP}${MINUS}99,999${GAP}%`;
  return `${decimal(ratio, size >= 10 ? 0 : 2, { shift: 2 })}${GAP}%`;
}

/** A level: 3 is `300 %`. @param {Decimal} ratio */
export const level = (ratio) => `${decimal(ratio, 2, { shift: 2, trim: true })}${GAP}%`;

/** A share or change: 0.1234 is `12.34 %`. @param {Decimal} part @param {{plus?: boolean, places?: number, trim?: boolean}} [how] */
export function share(part, { plus = false, places = 2, trim = false } = {}) {
  if (part === null || part === undefined) return NONE;
  return `${decimal(part, places, { shift: 2, plus, trim, rounding: "near" })}${GAP}%`;
}

/** A move that is in per cent already: -4.25 is `−4.25 %`. @param {Decimal} by */
export function move(by) {
  if (by === null || by === undefined) return "none";
  return `${decimal(by, Math.abs(Number(by)) >= 10 ? 1 : 2, { plus: true, rounding: "near" })}${GAP}%`;
}

/** A move that somebody chose: -10 is `−10 %`. @param {Decimal} by */
export const chosen = (by) => `${decimal(by, 2, { plus: true, trim: true, rounding: "near" })}${GAP}%`;

/** What an account has, USD. @param {Decimal} value */
export const has = (value) => decimal(value, 2);
/** What is asked of an account, USD. @param {Decimal} value */
export const asked = (value) => decimal(value, 2, { rounding: "up" });
/** Coins or contracts. @param {Decimal} value @param {Rounding} [rounding] */
export const coin = (value, rounding = "down") => decimal(value, 8, { trim: true, rounding });
/** A price, to as many digits as tell. @param {Decimal} value */
export function price(value) {
  const size = Math.abs(Number(value));
  return decimal(value, size >= 1000 ? 2 : size >= 1 ? 4 : 8, { trim: true, rounding: "near" });
}
/** Whole numbers. @param {number | null | undefined} value */
export const count = (value) => decimal(value, 0);

const SIZES = /** @type {const} */ ([
  [1e9, "G"],
  [1e6, "M"],
  [1e4, "k"],
]);

/**
 * Three digits are enough for a feed: 1234567.8 is `1.23 M`.
 * @param {Decimal} value
 */
export function short(value) {
  const number = Number(value ?? NaN);
  if (!Number.isFinite(number)) return NONE;
  for (const [size, sign] of SIZES) {
    if (Math.abs(number) >= size) return `${digits3(number / (sign === "k" ? 1e3 : size))}${GAP}${sign}`;
  }
  return digits3(number);
}

/** @param {number} number */
function digits3(number) {
  const size = Math.abs(number);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 6;
  return decimal(number, places, { trim: true, rounding: "near" });
}

/** `3 orders`. @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** How long: `0.4 s`, `12 s`, `3 min`, `2 h`. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}${GAP}s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)}${GAP}s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}${GAP}min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)}${GAP}h` : `${Math.round(ms / 86_400_000)}${GAP}d`;
}

/** `12:03:04`, UTC. @param {number | null | undefined} ms */
export const time = (ms) => (ms ? new Date(ms).toISOString().slice(11, 19) : NONE);
/** `12:03:04.123`, UTC. @param {number | null | undefined} ms */
export const timeMs = (ms) => (ms ? new Date(ms).toISOString().slice(11, 23) : NONE);
/** `2025-10-10 21:03:04 UTC`. @param {number | null | undefined} ms */
export const dateTime = (ms) =>
  ms ? `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC` : NONE;
/** `2025-10-10`, UTC. @param {number | null | undefined} ms */
export const day = (ms) => (ms ? new Date(ms).toISOString().slice(0, 10) : NONE);
/** `potential_borrowing` as words. @param {string} name */
export const words = (name) => name.replaceAll("_", " ");
