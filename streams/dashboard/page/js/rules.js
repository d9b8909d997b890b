/** The codes of the rules in plain words; the whole text is in the project's rules document. */

/** @type {Record<string, string>} */
const WORDS = {
  "ES-1": "the bands: above 300 % normal, up to 300 % warning, up to 100 % liquidation",
  "ES-2": "one episode from the first command until the account is safe again",
  "ES-3": "one warning on entering the band, another at each worse level, and one when it is over",
  "ES-4": "at 100 % or less all open orders are cancelled before any position is touched",
  "ES-5": "still at 100 % or less after that: one reduction step at a time, until it is above",
  "ES-6": "no answer in time: the same command goes out again, and after the last attempt it is stuck",
  "ES-7": "adjusted equity is negative or nothing is left to reduce",
  "OC-1": "adjusted equity no longer covers the margin that open orders would need",
  "OC-2": "without auto-borrow orders may not hold more of a coin than there is",
  "OC-3": "a borrow limit is exceeded: orders that need borrowing in that coin go",
  "OC-4": "reduce-only orders are left alone",
  "IN-4": "without auto-borrow a debt above its interest-free quota is paid by selling other assets",
  "IN-5": "a funding payment left orders short",
  "RD-1": "spot: repay in kind first, then the debt tier by tier, by selling collateral",
  "RD-2": "opposite positions first, then hedged pairs, then what relieves most for the least loss",
  "RD-3": "a step goes down to the upper bound of a lower tier",
  "RD-4": "long options are never reduced; isolated positions are reduced alone",
  "RD-5": "portfolio: by risk unit",
  "RD-6": "the smallest lot that is enough, and never more than the tier step",
  "RD-7": "no step may make anything worse; when none passes, all is taken over at bankruptcy prices",
  "MR-1": "ratio = adjusted equity / (maintenance margin + liquidation fee)",
  "MR-3": "an isolated position has its own ratio and is warned and reduced alone",
  "PM-2": "the largest of MR1, MR2 and MR6, with MR3, MR4, MR5 and MR9 added, and MR7 at least",
  "PM-4": "how far prices are moved, by size of the coin, in parameter sets with a date",
  "PX-4": "a price is older than allowed: warnings go out, nothing is reduced on it",
  "BL-1": "limit by position tier",
  "BL-2": "limit of the main account, over all its sub-accounts",
  "BL-3": "what the platform has left to lend",
  "OV-1": "adjusted equity must cover the initial margin, the order included",
  "OV-2": "a manual borrowing's margin must be covered by adjusted equity",
  "OV-3": "without auto-borrow the coin itself must be there",
  "OV-4": "a changed order counts as one with auto-borrow",
  "OV-5": "borrowing needs auto-borrow, a borrowable coin and a ratio above the suspension level",
  "RP-2": "one-click repay: the assets are sold in the given order",
  "RP-5": "a withdrawal is allowed up to the available balance while the account stays covered",
};

/** @param {string} code */
export const ruleWords = (code) => WORDS[code] ?? "";
