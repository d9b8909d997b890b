/** What a command says, in plain words. */

import { coin, level, percent, plural, price, short, sum } from "./format.js";

/** @typedef {import("./types.js").Command} Command */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {"liquidation" | "warning" | "normal" | "trouble" | "quiet"} Tone */

/** @type {Record<string, string>} */
const REASONS = {
  "OC-1": "equity no longer covers the margin they need",
  "OC-2": "a coin they hold is overdrawn",
  "OC-3": "a borrow limit is exceeded",
  "IN-5": "a funding payment left them short",
  "ES-4": "orders go before positions are touched",
};

/** @type {Record<string, string>} */
export const PHASES = {
  same_coin_repayment: "repay in kind",
  tier: "down a tier",
  full: "in full",
  opposite: "net off opposite positions",
  delta_neutral: "take off a hedged pair",
  unhedged: "most relief for the least loss",
  basis: "basis pair",
  takeover: "takeover",
  auto_exchange: "convert for a debt above its quota",
};

/**
 * What one command says: `what` happens, `why`, how much, and how it is to be drawn.
 * @param {Command} command
 * @returns {{what: string, why: string, usd: string | null, icon: string, tone: Tone}}
 */
export function say(command) {
  const said = spoken(command);
  const place = command.position ? `${positionWords(command.position)}: ` : "";
  const again = command.attempt > 1 ? ` (sent again, attempt ${command.attempt})` : "";
  const stale = command.stale_prices?.length ? "; on a stale price" : "";
  return { ...said, what: `${place}${said.what}${again}`, why: `${said.why}${stale}` };
}

/** @param {Command} command @returns {{what: string, why: string, usd: string | null, icon: string, tone: Tone}} */
function spoken(command) {
  const cause = causeWords(command);
  const at = `ratio ${percent(command.ratio)}`;
  switch (command.kind) {
    case "warning":
      return {
        what: warningWords(command),
        why: `${at}${cause}`,
        usd: null,
        icon: command.state === "cleared" ? "normal" : "warning",
        tone: command.state === "cleared" ? "normal" : "warning",
      };
    case "order_cancel":
      return {
        what: `Cancel ${plural(command.order_ids?.length ?? 0, "order")}`,
        why: `${at}${cause}; ${REASONS[command.reason ?? ""] ?? command.reason}`,
        usd: null,
        icon: "cancel",
        tone: "liquidation",
      };
    case "reduction":
    case "auto_exchange":
      return {
        what: reductionWords(command),
        why: `${at}${cause}`,
        usd: notional(command),
        icon: "reduce",
        tone: "liquidation",
      };
    default:
      return {
        ...noticeWords(command),
        why: `${at}${cause}`,
        usd: null,
      };
  }
}

/** @param {Command} command */
function warningWords(command) {
  const at = level(command.level);
  if (command.state === "cleared") return `Warning over: above ${at} again`;
  return command.state === "worsened" ? `Worse: at or below ${at}` : `Warned: at or below ${at}`;
}

/** @param {Command} command */
function reductionWords(command) {
  const actions = command.actions ?? [];
  if (command.phase === "takeover" && !command.position)
    return `Take over everything: ${plural(actions.length, "position or coin", "positions and coins")}`;
  const more = actions.length > 1 ? ` and ${actions.length - 1} more` : "";
  return `${stepWords(command)}: ${actions.length ? actionWords(actions[0]) : "nothing"}${more}`;
}

/** `Reduce, step 2`. @param {Command} command */
export function stepWords(command) {
  if (command.kind === "auto_exchange") return "Convert";
  return `${command.phase === "takeover" ? "Take over" : "Reduce"}, step ${command.step}`;
}

/** @param {Command} command @returns {{what: string, icon: string, tone: Tone}} */
function noticeWords(command) {
  switch (command.state) {
    case "opened":
      return { what: "Episode opened", icon: "open", tone: "quiet" };
    case "cancel_sufficient":
      return { what: "Saved: cancelling its orders was enough", icon: "normal", tone: "normal" };
    case "stuck":
      return { what: "Stuck: no answer from the exchange", icon: "trouble", tone: "liquidation" };
    case "bankrupt":
      return {
        what: Number(command.shortfall)
          ? `Bankrupt: ${short(command.shortfall)} USD short`
          : "Bankrupt, with nothing short",
        icon: "trouble",
        tone: "liquidation",
      };
    case "closed":
      return { what: "Safe again: episode closed", icon: "normal", tone: "normal" };
    default:
      return { what: `${command.kind} ${command.state ?? ""}`.trim(), icon: "open", tone: "quiet" };
  }
}

/** `close 12.5 BTC-USDT-SWAP long`. @param {Action} action */
export function actionWords(action) {
  const side =
    action.position_side === "long" || action.position_side === "short" ? ` ${action.position_side}` : "";
  const unit = action.action === "close" || action.action === "takeover" ? " of" : "";
  return `${action.action} ${coin(action.quantity, "near")}${unit} ${action.instrument ?? action.currency ?? ""}${side}`;
}

/** All that a reduction moves, USD. @param {Command} command */
export const notional = (command) => sum((command.actions ?? []).map((action) => action.notional_usd));

/** What made the worker look, to stand after the ratio. @param {Command} command */
export function causeWords(command) {
  const { cause } = command;
  switch (cause.kind) {
    case "tick":
      return ` when ${cause.symbol} came to ${price(cause.price)}`;
    case "fill":
      return " after a fill";
    case "order":
      return " after an order event";
    case "transfer":
      return " after a transfer";
    case "account":
      return " after a change of the account";
    case "timer":
      return ", its deadline came";
    case "reference":
      return " after new reference data";
    case "recovery":
      return ", a worker took the account over";
    case "sweep":
      return ", found by the regular sweep";
    default:
      return `, ${cause.kind}`;
  }
}

/** Key of an isolated position as people read it. @param {string} position */
export function positionWords(position) {
  const [name, , side] = position.split("/");
  return `isolated ${name}${side === "long" || side === "short" ? ` ${side}` : ""}`;
}
