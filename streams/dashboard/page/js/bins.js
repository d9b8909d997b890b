/** The liquidation map's steps widen outwards; bars of one width are summed up from them. */

/**
 * @typedef {{accounts: number, isolated: number, long: number, short: number}} Crossing
 * @typedef {{from: number, to: number, price: number, level1: Crossing, level3: Crossing}} Bin
 */

/** How far, and the width of a bar there: both in per cent. @type {Record<string, number>} */
export const RANGES = { 10: 0.25, 20: 0.5, 50: 1 };

/** @returns {Crossing} */
const nothing = () => ({ accounts: 0, isolated: 0, long: 0, short: 0 });

/**
 * Bars from −range to +range, by price upwards. `from` is the edge nearer to the price of now, `to` the
 * other, in per cent; `price` is the middle.
 * @param {any} map @param {number} range @returns {Bin[]}
 */
export function binned(map, range) {
  const step = RANGES[range];
  const now = Number(map.price);
  const half = Math.round(range / step);
  const bins = Array.from({ length: 2 * half }, (_, at) => {
    const low = (at - half) * step;
    const [from, to] = at < half ? [low + step, low] : [low, low + step];
    return { from, to, price: now * (1 + (low + step / 2) / 100), level1: nothing(), level3: nothing() };
  });
  for (const bucket of map.buckets) {
    const move = Number(bucket.move);
    if (!move || Math.abs(move) > range) continue;
    // A bucket covers what lies between the one before it, nearer to now, and its own move.
    const at = move < 0 ? Math.floor(move / step) + half : Math.ceil(move / step) - 1 + half;
    add(bins[at].level1, bucket.level1);
    add(bins[at].level3, bucket.level3);
  }
  return bins;
}

/** @param {Crossing} sum @param {any} found */
function add(sum, found) {
  sum.accounts += found.accounts;
  sum.isolated += found.isolated ?? 0;
  sum.long += Number(found.long_usd);
  sum.short += Number(found.short_usd);
}
