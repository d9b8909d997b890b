/** Small pieces that several views share. */

import { fill, h, icon, svg } from "./dom.js";
import { decimal, duration, move, percent, price, short, time } from "./format.js";
import { accountLink } from "./router.js";
import { ruleWords } from "./rules.js";
import { actionWords, say } from "./words.js";

/** @typedef {import("./types.js").Command} Command */
/** @typedef {import("./types.js").Decimal} Decimal */

const SPARK = { width: 84, height: 22, edge: 3 };

/** A link to one account; `where` keeps the keys of two lists apart. @param {string} id @param {string} where */
export const account = (id, where) =>
  h("a", { href: accountLink(id), "data-key": `${where} ${id}`, class: "account" }, id);

/** The last ratios as a line, with its direction as a sign and in words. @param {Decimal[]} trend */
export function spark(trend) {
  const values = trend.map(Number).filter(Number.isFinite);
  if (values.length < 2) return h("span", { class: "muted" }, "–");
  const [first, last] = [values[0], values[values.length - 1]];
  const low = Math.min(...values);
  const size = Math.max(...values) - low;
  const { width, height, edge } = SPARK;
  const x = (/** @type {number} */ at) => edge + (at * (width - 2 * edge)) / (values.length - 1);
  const y = (/** @type {number} */ value) =>
    size ? height - edge - ((value - low) * (height - 2 * edge)) / size : height / 2;
  const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const change = (last - first) / Math.max(Math.abs(first), 1e-9);
  const way = Math.abs(change) < 0.001 ? "level" : change < 0 ? "down" : "up";
  return h(
    "span",
    {
      class: `spark ${way}`,
      title: `${percent(first)} → ${percent(last)} in the last ${values.length} looks`,
    },
    svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
      svg("polyline", { points, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
      svg("circle", { cx: x(values.length - 1), cy: y(last), r: 2.2, fill: "currentColor" }),
    ),
    icon(way),
    h(
      "span",
      { class: "hidden" },
      `${{ down: "falling", up: "rising", level: "steady" }[way]}, from ${percent(first)} to ${percent(last)}`,
    ),
  );
}

/** How far all prices may move together until a level. @param {{to_3: Decimal, to_1: Decimal} | null} distance @param {"to_3" | "to_1"} to */
export function distanceText(distance, to) {
  if (!distance) return "–";
  return move(distance[to]);
}

/** @param {string} code */
export const rule = (code) => h("abbr", { class: "rule", title: ruleWords(code) || code }, code);

/** One command as a line of the feed. @param {Command} command */
export function feedLine(command) {
  const said = say(command);
  const expected =
    command.expected_ratio !== undefined && command.expected_ratio !== null
      ? h("span", { class: "expected" }, `expected ${percent(command.expected_ratio)}`)
      : null;
  return h(
    "li",
    { class: `line ${said.tone}`, "data-row": command.command_id },
    h("time", { datetime: new Date(command.decided_at).toISOString() }, time(command.decided_at)),
    icon(said.icon),
    h(
      "div",
      { class: "said" },
      h(
        "p",
        { class: "what" },
        h(
          "a",
          {
            href: accountLink(command.account_id, { episode: command.episode_id }),
            "data-key": `feed ${command.command_id} ${command.attempt}`,
            class: "account",
          },
          command.account_id,
        ),
        " ",
        said.what,
        said.usd !== null ? h("b", { class: "usd" }, ` ${short(said.usd)} USD`) : null,
      ),
      h("p", { class: "why" }, said.why, expected ? " → " : null, expected),
    ),
  );
}

/** What a reduction does, action by action. @param {Command} command */
export function actionList(command) {
  if (!command.actions?.length) return null;
  return h(
    "ul",
    { class: "actions" },
    command.actions.map((action) =>
      h(
        "li",
        null,
        h("span", { class: "what" }, actionWords(action)),
        h("b", { class: "usd" }, ` ${decimal(action.notional_usd, 2, { rounding: "up" })} USD`),
        action.from_tier ? `, tier ${action.from_tier} → ${action.to_tier ?? "none left"}` : null,
        action.bankruptcy_price ? `, bankruptcy price ${price(action.bankruptcy_price)}` : null,
        action.fee_usd ? `, fee ${decimal(action.fee_usd, 2, { rounding: "up" })} USD` : null,
        action.why ? h("p", { class: "why" }, `Why this one: ${action.why}`) : null,
      ),
    ),
  );
}

/** A message in place of what could not be had. @param {Element} place @param {unknown} error */
export function failed(place, error) {
  const text = error instanceof Error ? error.message : String(error);
  fill(place, h("p", { class: "error", role: "alert" }, icon("trouble"), text));
}

/** Call `work` now and every so often until ended; never twice at once. @param {() => Promise<void>} work @param {number} everyMs */
export function repeat(work, everyMs) {
  let ended = false;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const round = async () => {
    await work();
    if (!ended) timer = setTimeout(round, everyMs);
  };
  void round();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

/** @param {number | null | undefined} ms */
export const ago = (ms) => (ms === null || ms === undefined ? "–" : `${duration(ms)} ago`);
