/** Asking the API. Its address is relative, so the page also works below a path of a proxy. */

const TOKEN = "liqmon.token";

/** Raised for every answer that is none; `status` 0: the server did not answer at all. */
export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {string | null} [field] */
  constructor(status, message, field = null) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** @type {() => Promise<string | null>} Asks the reader for the token. */
let askForToken = async () => null;

/** @param {() => Promise<string | null>} asking */
export function onUnauthorised(asking) {
  askForToken = asking;
}

export const token = () => sessionStorage.getItem(TOKEN);

/** @param {string} path @param {Record<string, any>} [query] */
export function address(path, query = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

/** `EventSource` cannot send headers, so the token goes into the address. @param {string} path */
export const streamAddress = (path) => address(path, { token: token() });

/**
 * @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const get = (path, query = {}, signal) => ask(address(path, query), { signal });

/** @param {string} path @param {unknown} body @param {AbortSignal} [signal] @returns {Promise<any>} */
export const post = (path, body, signal) =>
  ask(address(path), {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    signal,
  });

/** @param {URL} url @param {RequestInit} init @param {boolean} [again] @returns {Promise<any>} */
async function ask(url, init, again = false) {
  const known = token();
  const headers = { ...init.headers, ...(known ? { Authorization: `Bearer ${known}` } : {}) };
  let answer;
  try {
    answer = await fetch(url, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "the dashboard's server does not answer");
  }
  if (answer.status === 401 && !again) {
    const given = await askForToken();
    if (given !== null) {
      sessionStorage.setItem(TOKEN, given);
      return ask(url, init, true).catch((error) => {
        if (error instanceof ApiError && error.status === 401) sessionStorage.removeItem(TOKEN);
        throw error;
      });
    }
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok)
    throw new ApiError(answer.status, said(body) ?? `HTTP ${answer.status}`, body?.field ?? null);
  return body;
}

/** @param {any} body @returns {string | null} */
function said(body) {
  if (typeof body?.error === "string") return body.error;
  if (typeof body?.detail === "string") return body.detail;
  return null;
}
