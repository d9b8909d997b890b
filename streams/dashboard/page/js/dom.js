/** Building the page. Text never becomes markup: what comes over the wire is only ever text. */

/** @typedef {Node | string | number | null | undefined | false} Leaf */
/** @typedef {Leaf | Leaf[] | Leaf[][] | (Leaf | Leaf[])[]} Child */

/**
 * Make an element: `h("a", {href: "#/"}, "text")`. `on…` are listeners, `class` and `data-…` as in HTML.
 * @param {string} tag @param {Record<string, any> | null} [attributes] @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "open")
      /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, any>} attributes @param {...Node} children */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** One of the drawings in index.html; always beside a text that says the same. @param {string} name */
export function icon(name) {
  return svg(
    "svg",
    { class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("use", { href: `#i-${name}` }),
  );
}

/**
 * Put new content into a place, only where it differs, and keep what the reader had: the focus (by
 * `data-key`), the scroll position of boxes (`data-scroll`) and what is folded open (`data-fold`).
 * @param {Element | null} place @param {...(Child | Child[])} children
 */
export function fill(place, ...children) {
  if (place === null) return;
  const fresh = document.createElement("div");
  fresh.append(...nodes(children));
  if (fresh.innerHTML === /** @type {any} */ (place).shown) return;
  /** @type {any} */ (place).shown = fresh.innerHTML;
  const focused = document.activeElement;
  const key = place.contains(focused) ? focused?.getAttribute("data-key") : null;
  const scrolled = new Map();
  for (const box of place.querySelectorAll("[data-scroll]")) {
    scrolled.set(box.getAttribute("data-scroll"), [box.scrollLeft, box.scrollTop]);
  }
  const folds = new Map();
  for (const fold of place.querySelectorAll("details[data-fold]")) {
    folds.set(fold.getAttribute("data-fold"), /** @type {HTMLDetailsElement} */ (fold).open);
  }
  for (const fold of fresh.querySelectorAll("details[data-fold]")) {
    const open = folds.get(fold.getAttribute("data-fold"));
    if (open !== undefined) /** @type {HTMLDetailsElement} */ (fold).open = open;
  }
  place.replaceChildren(...fresh.childNodes);
  for (const box of place.querySelectorAll("[data-scroll]")) {
    const [left, top] = scrolled.get(box.getAttribute("data-scroll")) ?? [0, 0];
    box.scrollLeft = left;
    box.scrollTop = top;
  }
  if (key) {
    const again = /** @type {HTMLElement | null} */ (place.querySelector(`[data-key="${CSS.escape(key)}"]`));
    again?.focus({ preventScroll: true });
  }
}

/**
 * @template Row
 * @typedef {{title: string, value: (row: Row) => Child | Child[], number?: boolean, hint?: string,
 *   head?: boolean}} Column
 */

/**
 * A plain table: header cells with a scope, numbers to the right, its own box to scroll sideways in.
 * @template Row
 * @param {string} caption @param {Column<Row>[]} columns @param {Row[]} rows
 * @param {{shown?: boolean, empty?: string, class?: string, key?: (row: Row) => string}} [how]
 */
export function table(
  caption,
  columns,
  rows,
  { shown = false, empty = "none", class: style = "", key } = {},
) {
  if (!rows.length) return h("p", { class: "empty" }, `${caption}: ${empty}.`);
  const heads = columns.map((column) =>
    h("th", { scope: "col", class: column.number ? "number" : null, title: column.hint }, column.title),
  );
  const body = rows.map((row) =>
    h(
      "tr",
      { "data-row": key?.(row) },
      columns.map((column) =>
        h(
          column.head ? "th" : "td",
          { scope: column.head ? "row" : null, class: column.number ? "number" : null },
          column.value(row),
        ),
      ),
    ),
  );
  return h(
    "div",
    {
      class: `scroll ${style}`,
      role: "region",
      "aria-label": caption,
      tabindex: "0",
      "data-scroll": caption,
      "data-key": `box ${caption}`,
    },
    h(
      "table",
      null,
      h("caption", { class: shown ? null : "hidden" }, caption),
      h("thead", null, h("tr", null, heads)),
      h("tbody", { "data-rows": key ? "" : null }, body),
    ),
  );
}

/** Name and value, in pairs. @param {[string, Child | Child[], string?][]} pairs */
export function figures(pairs) {
  return h(
    "dl",
    { class: "figures" },
    pairs.map(([name, value, hint]) => h("div", null, h("dt", { title: hint }, name), h("dd", null, value))),
  );
}

/** A part of a view with its heading. @param {string} title @param {{id?: string, class?: string}} [how] @param {...(Child | Child[])} children */
export function section(title, { id, class: style = "" } = {}, ...children) {
  const name = id ?? title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return h(
    "section",
    { class: `panel ${style}`, "aria-labelledby": `h-${name}`, id: name },
    h("h2", { id: `h-${name}` }, title),
    ...children,
  );
}

/** A band's name with its sign and colour. @param {string | null | undefined} band */
export function badge(band) {
  const name = band ?? "unpriced";
  return h("span", { class: `badge ${name}` }, icon(name), name);
}
