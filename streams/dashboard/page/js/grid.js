/** Long tables, by Tabulator: loaded only by the views that need one. */

import { fill } from "./dom.js";

/** @typedef {{title: string, value: (row: any) => any, number?: boolean, hint?: string, width?: number, grow?: number, sort?: (row: any) => number | string}} GridColumn */

/**
 * Make a table. With `sort` on a column its header sorts what is loaded.
 * @param {HTMLElement} place @param {string} label @param {GridColumn[]} columns
 * @param {{key: (row: any) => string, empty: string, height?: string}} how
 */
export async function grid(place, label, columns, { key, empty, height }) {
  const { TabulatorFull } = await import("../vendor/tabulator/tabulator_esm.min.js");
  const table = new TabulatorFull(place, {
    index: "key",
    layout: "fitColumns",
    height: height ?? false,
    renderVertical: height ? "virtual" : "basic",
    placeholder: empty,
    columnDefaults: { resizable: false, headerSort: false },
    columns: columns.map((column, at) => described(column, at)),
    rowFormatter: (/** @type {any} */ row) => {
      row.getElement().setAttribute("data-row", row.getData().key);
    },
  });
  await new Promise((resolve) => table.on("tableBuilt", resolve));
  const box = place.querySelector(".tabulator-table");
  box?.setAttribute("data-rows", "");
  place.setAttribute("aria-label", label);
  place.querySelector(".tabulator-tableholder")?.setAttribute("aria-label", label);
  return {
    /** @param {any[]} rows */
    async show(rows) {
      const focused = place.contains(document.activeElement)
        ? document.activeElement?.getAttribute("data-key")
        : null;
      await table.replaceData(rows.map((row) => ({ key: key(row), row })));
      if (focused) {
        const again = /** @type {HTMLElement | null} */ (
          place.querySelector(`[data-key="${CSS.escape(focused)}"]`)
        );
        again?.focus({ preventScroll: true });
      }
    },
    destroy: () => table.destroy(),
  };
}

/** @param {GridColumn} column @param {number} at */
function described(column, at) {
  return {
    title: column.title,
    field: `c${at}`,
    headerTooltip: column.hint ?? false,
    hozAlign: column.number ? "right" : "left",
    headerHozAlign: column.number ? "right" : "left",
    minWidth: column.width ?? 90,
    widthGrow: column.grow ?? 1,
    headerSort: Boolean(column.sort),
    sorter: (/** @type {any} */ _, /** @type {any} */ __, /** @type {any} */ a, /** @type {any} */ b) =>
      compare(column.sort?.(a.getData().row), column.sort?.(b.getData().row)),
    mutator: () => null,
    formatter: (/** @type {any} */ cell) => {
      const shown = document.createElement("span");
      fill(shown, column.value(cell.getRow().getData().row));
      return shown;
    },
  };
}

/** @param {any} a @param {any} b */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
