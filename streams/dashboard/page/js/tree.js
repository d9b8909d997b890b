/** The explanation: each figure with what it is made of, to be folded open. */

import { h } from "./dom.js";
import { coin, decimal } from "./format.js";
import { rule } from "./parts.js";

/** @typedef {import("./types.js").TreeNode} TreeNode */

const OPEN_DEPTH = 1;
/** What is asked of an account is rounded up, all else down: as the command line does it. */
const ASKED =
  /^(MR\d|derivative notional|equity frozen|estimated fee|frozen|initial margin|liability|liabilities|liquidation fee|loss|maintenance|margin for borrowing|notional|position value|potential borrowing|restricted|spot order loss)/;

/** @param {TreeNode} root */
export const tree = (root) => h("div", { class: "tree" }, branch(root, 0, root.name));

/** @param {TreeNode} node @param {number} depth @param {string} path @returns {HTMLElement} */
function branch(node, depth, path) {
  const children = node.children ?? [];
  if (!children.length) return h("div", { class: `leaf ${node.kind}` }, ...row(node));
  return h(
    "details",
    { open: depth <= OPEN_DEPTH, "data-fold": path },
    h("summary", { "data-key": `fold ${path}` }, ...row(node)),
    node.formula ? h("p", { class: "formula" }, `= ${node.formula}`) : null,
    children.map((child, at) => branch(child, depth + 1, `${path}/${at} ${child.name}`)),
  );
}

/** @param {TreeNode} node */
function row(node) {
  const note =
    node.kind === "input" && node.formula ? node.formula : node.kind === "repeat" ? "see above" : "";
  return [
    h("span", { class: "name" }, node.name, note ? h("span", { class: "muted" }, ` (${note})`) : null),
    node.rule ? rule(node.rule) : null,
    h(
      "span",
      { class: "value", title: node.value ?? "" },
      node.value === null ? "" : value(node),
      node.unit && node.value !== null ? h("span", { class: "unit" }, ` ${node.unit}`) : null,
    ),
  ];
}

/** @param {TreeNode} node */
function value(node) {
  const rounding = ASKED.test(node.name) ? "up" : "down";
  return node.unit === "USD"
    ? decimal(node.value, 2, { rounding })
    : coin(node.value, node.kind === "input" ? "near" : rounding);
}
