/** Addresses of the page: `#/accounts?band=warning`, each of them a link that can be sent around. */

/** @typedef {{name: string, id: string | null, query: URLSearchParams}} Route */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...rest] = path.split("/");
  return {
    name: name || "overview",
    id: rest.length ? decodeURIComponent(rest.join("/")) : null,
    query: new URLSearchParams(search),
  };
}

/** @param {string} path @param {Record<string, any>} [query] */
export function link(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  return `#/${path}${search.size ? `?${search}` : ""}`;
}

/** @param {string} id @param {Record<string, any>} [query] */
export const accountLink = (id, query = {}) => link(`account/${encodeURIComponent(id)}`, query);

/** @param {string} hash */
export const go = (hash) => {
  location.hash = hash;
};

/** Change the address without a step in the history (a filter, a slider). @param {string} hash */
export const replace = (hash) => history.replaceState(null, "", hash);

/** @param {(route: Route) => void} show */
export function start(show) {
  const now = () => show(parse(location.hash));
  addEventListener("hashchange", now);
  now();
}
