/** What happened to one account: in a few sentences, and step by step. */

import { h, icon } from "./dom.js";
import { decimal, duration, percent, plural, short, sum, time, timeMs } from "./format.js";
import { actionList, rule } from "./parts.js";
import { ruleWords } from "./rules.js";
import { PHASES, actionWords, notional, positionWords, say, stepWords } from "./words.js";

/** @typedef {import("./types.js").Command} Command */
/** @typedef {import("./types.js").Episode} Episode */

/** @param {Command} command */
const isReduction = (command) => command.kind === "reduction" || command.kind === "auto_exchange";

/**
 * The newest episode in sentences: why, by how much, and what came of it.
 * @param {Episode} episode @param {import("./types.js").Decimal} ratioNow
 */
export function storySentences(episode, ratioNow) {
  const once = episode.commands.filter((command) => command.attempt === 1);
  const warned = once.find((command) => command.kind === "warning" && command.state === "entered");
  const cancels = once.filter((command) => command.kind === "order_cancel");
  const steps = once.filter(isReduction);
  const said = steps.length ? reductionSentences(steps) : [];
  const what = once[0]?.position ? `Its ${positionWords(once[0].position)} position` : "It";
  if (warned)
    said.push(
      `${what} was warned at ${time(warned.decided_at)} UTC, when its ratio was ${percent(warned.ratio)}.`,
    );
  if (cancels.length) {
    const orders = cancels.reduce((all, command) => all + (command.order_ids?.length ?? 0), 0);
    said.push(
      `At ${time(cancels[0].decided_at)} (${percent(cancels[0].ratio)}) ${plural(orders, "order")} ${orders === 1 ? "was" : "were"} to be cancelled.`,
    );
  }
  if (!steps.length) said.push("No position was reduced.");
  said.push(...endSentences(episode, ratioNow));
  return said;
}

/** @param {Command[]} steps */
function reductionSentences(steps) {
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const total = sum(steps.map(notional));
  const actions = steps.flatMap((command) => command.actions ?? []);
  const named = actions
    .slice(0, 3)
    .map((action) => `${actionWords(action)} (${short(action.notional_usd)} USD)`);
  if (actions.length > named.length) named.push(`${actions.length - named.length} more`);
  const expected = last.expected_ratio;
  return [
    `${verb(first)} ${short(total)} USD in ${plural(steps.length, "step")}: ${named.join(", ")}.`,
    reason(first),
    ...(expected === null || expected === undefined
      ? []
      : [`The last step was to bring it to ${percent(expected)}.`]),
  ];
}

/** @param {Command} command */
function verb(command) {
  if (command.kind === "auto_exchange") return "Converted";
  return command.phase === "takeover" ? "Taken over," : "Reduced by";
}

/** @param {Command} command */
function reason(command) {
  if (command.kind === "auto_exchange")
    return "Because it has no auto-borrow and owes more of a coin than its interest-free quota.";
  const asked = sum([command.maintenance_margin, command.liquidation_fee]);
  return (
    `Because its ratio was ${percent(command.ratio)}, at or below 100 %: adjusted equity ${decimal(command.adjusted_equity, 2)} USD ` +
    `against ${decimal(asked, 2, { rounding: "up" })} USD of maintenance margin and liquidation fee.`
  );
}

/** @param {Episode} episode @param {import("./types.js").Decimal} ratioNow */
function endSentences(episode, ratioNow) {
  const states = episode.commands.filter((command) => command.kind === "episode");
  const bankrupt = states.find((command) => command.state === "bankrupt");
  const said = [];
  if (bankrupt)
    said.push(
      Number(bankrupt.shortfall)
        ? `It is bankrupt: ${short(bankrupt.shortfall)} USD short.`
        : "It is bankrupt: adjusted equity is below zero or nothing is left to reduce; nothing is short.",
    );
  if (states.some((command) => command.state === "cancel_sufficient"))
    said.push("Cancelling the orders was enough.");
  if (states.some((command) => command.state === "stuck"))
    said.push("It got stuck: the exchange did not answer in time.");
  if (episode.closed_at) {
    const took = episode.opened_at ? ` after ${duration(episode.closed_at - episode.opened_at)}` : "";
    said.push(`Closed at ${time(episode.closed_at)} UTC${took}.`);
  } else if (ratioNow === null)
    said.push("Still open; there is no ratio now, nothing is left that asks for margin.");
  else said.push(`Still open; the ratio is ${percent(ratioNow)} now.`);
  return said;
}

/** An episode step by step. @param {Episode} episode @param {import("./types.js").Decimal} ratioNow */
export function timeline(episode, ratioNow) {
  const commands = episode.commands;
  const begin = commands[0]?.decided_at ?? 0;
  return h(
    "ol",
    { class: "timeline", "aria-label": `Episode ${episode.episode_id}` },
    commands.map((command, at) => step(command, commands.slice(at + 1), begin, episode, ratioNow)),
  );
}

/** @param {Command} command @param {Command[]} later @param {number} begin @param {Episode} episode @param {import("./types.js").Decimal} ratioNow */
function step(command, later, begin, episode, ratioNow) {
  if (command.attempt > 1) return resent(command);
  const said = say(command);
  const phase = command.phase ? (PHASES[command.phase] ?? command.phase) : null;
  return h(
    "li",
    { class: said.tone },
    h(
      "div",
      { class: "when" },
      h("time", { datetime: new Date(command.decided_at).toISOString() }, timeMs(command.decided_at)),
      h("span", { class: "muted" }, `+${duration(command.decided_at - begin)}`),
    ),
    icon(said.icon),
    h(
      "div",
      { class: "said" },
      h(
        "p",
        { class: "what" },
        command.actions?.length ? headWords(command) : said.what,
        said.usd !== null
          ? h("b", { class: "usd" }, ` ${decimal(said.usd, 2, { rounding: "up" })} USD`)
          : null,
      ),
      h("p", { class: "why" }, `Why: ${said.why}.`, phase ? ` How: ${phase}.` : null),
      actionList(command),
      command.order_ids?.length
        ? h(
            "p",
            { class: "why" },
            `Orders: ${command.order_ids.slice(0, 12).join(", ")}${command.order_ids.length > 12 ? " …" : ""}`,
          )
        : null,
      h(
        "p",
        { class: "rules" },
        command.rules.map((code) => [rule(code), " ", h("span", { class: "muted" }, ruleWords(code)), " "]),
      ),
      outcome(command, later, episode, ratioNow),
    ),
  );
}

/** The same command once more: only that. @param {Command} command */
function resent(command) {
  return h(
    "li",
    { class: "quiet" },
    h("div", { class: "when muted" }, `attempt ${command.attempt}`),
    icon("open"),
    h("p", { class: "said" }, "Sent again unchanged: no answer in time."),
  );
}

/** @param {Command} command */
function headWords(command) {
  const place = command.position ? `${positionWords(command.position)}: ` : "";
  return `${place}${stepWords(command)}:`;
}

/** What the account looked like when it was looked at next. @param {Command} command @param {Command[]} later @param {Episode} episode @param {import("./types.js").Decimal} ratioNow */
function outcome(command, later, episode, ratioNow) {
  if (!isReduction(command) && command.kind !== "order_cancel") return null;
  const next = later.find((one) => one.sequence > command.sequence);
  const expected =
    command.expected_ratio !== null && command.expected_ratio !== undefined
      ? `Expected ${percent(command.expected_ratio)}; `
      : "";
  const from = percent(command.ratio);
  if (next)
    return h(
      "p",
      { class: "then" },
      `${expected}${expected ? "then" : "Then"}: ${from} → `,
      h("b", null, percent(next.ratio)),
      ` at the next step, ${duration(next.decided_at - command.decided_at)} later`,
    );
  if (episode.closed_at) return null;
  return h(
    "p",
    { class: "then" },
    `${expected}${expected ? "now" : "Now"}: ${from} → `,
    h("b", null, percent(ratioNow)),
  );
}
