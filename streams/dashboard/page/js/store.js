/** What the page knows of the moment, and who wants to hear of it. Painting happens once a frame. */

/** @typedef {import("./types.js").Overview} Overview */
/** @typedef {import("./types.js").Command} Command */
/** @typedef {import("./types.js").AccountRow} AccountRow */
/** @typedef {import("./types.js").Counts} Counts */
/** @typedef {"overview" | "accounts" | "commands" | "link" | "theme"} Topic */
/** @typedef {"connecting" | "live" | "stale"} LinkState */

const COMMANDS_KEPT = 500;
const HISTORY_MS = 600_000;
const HISTORY_STEP_MS = 900;

class Store {
  /** @type {Overview | null} */
  overview = null;
  /** Why there is no overview, in words. @type {string | null} */
  trouble = null;
  /** @type {AccountRow[]} */
  nearest = [];
  /** Newest first. @type {Command[]} */
  commands = [];
  /** Oldest first. @type {Counts[]} */
  history = [];
  /** @type {LinkState} */
  link = "connecting";
  /** When the last message came, epoch ms of this machine. */
  heard = 0;
  paused = false;
  /** What came in while paused. @type {{overview: Overview | null, nearest: AccountRow[] | null, commands: Command[]}} */
  waiting = { overview: null, nearest: null, commands: [] };

  /** @type {Map<Topic, Set<() => void>>} */
  #listeners = new Map();
  /** @type {Set<Topic>} */
  #changed = new Set();
  #seen = new Set();

  /** @param {Topic[]} topics @param {() => void} listener @returns {() => void} ends it */
  on(topics, listener) {
    for (const topic of topics) {
      if (!this.#listeners.has(topic)) this.#listeners.set(topic, new Set());
      this.#listeners.get(topic)?.add(listener);
    }
    return () => topics.forEach((topic) => this.#listeners.get(topic)?.delete(listener));
  }

  /** @param {Topic} topic */
  changed(topic) {
    if (!this.#changed.size) setTimeout(() => this.#tell(), 50);
    this.#changed.add(topic);
  }

  #tell() {
    const listeners = new Set([...this.#changed].flatMap((topic) => [...(this.#listeners.get(topic) ?? [])]));
    this.#changed.clear();
    for (const listener of listeners) listener();
  }

  /** @param {Overview} overview */
  takeOverview(overview) {
    this.#remember(overview);
    this.trouble = null;
    if (this.paused) {
      this.waiting.overview = overview;
      this.changed("link");
      return;
    }
    this.overview = overview;
    this.changed("overview");
  }

  /** @param {string} trouble */
  takeTrouble(trouble) {
    this.trouble = trouble;
    this.changed("overview");
  }

  /** The first answer brings the last ten minutes along, the stream goes on with them. @param {Overview} overview */
  #remember(overview) {
    if (overview.history?.length) this.history = overview.history.slice();
    const { warning, liquidation, unpriced, normal } = overview.bands;
    // Of the wall: on the clock of a replay ten minutes may pass in one.
    const ts = overview.wall || overview.now;
    const last = this.history.at(-1);
    if (last && ts < last.ts - HISTORY_MS) this.history = [];
    if (last && ts - last.ts < HISTORY_STEP_MS) return;
    this.history.push({ ts, warning, liquidation, unpriced, normal });
    while (this.history.length && this.history[0].ts < ts - HISTORY_MS) this.history.shift();
  }

  /** @param {AccountRow[]} rows */
  takeNearest(rows) {
    if (this.paused) {
      this.waiting.nearest = rows;
      return;
    }
    this.nearest = rows;
    this.changed("accounts");
  }

  /** In any order, repeats too. @param {Command[]} commands */
  takeCommands(commands) {
    const fresh = commands.filter((command) => {
      const key = `${command.command_id} ${command.attempt}`;
      if (this.#seen.has(key)) return false;
      this.#seen.add(key);
      return true;
    });
    if (!fresh.length) return;
    if (this.paused) {
      this.waiting.commands.push(...fresh);
      this.changed("link");
      return;
    }
    this.commands.push(...fresh);
    this.commands.sort((a, b) => b.decided_at - a.decided_at || b.sequence - a.sequence);
    for (const old of this.commands.splice(COMMANDS_KEPT))
      this.#seen.delete(`${old.command_id} ${old.attempt}`);
    this.changed("commands");
  }

  /** @param {LinkState} link */
  setLink(link) {
    if (link !== this.link) {
      this.link = link;
      this.changed("link");
    }
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.changed("link");
    if (paused) return;
    const { overview, nearest, commands } = this.waiting;
    this.waiting = { overview: null, nearest: null, commands: [] };
    if (overview) this.overview = overview;
    if (nearest) this.nearest = nearest;
    for (const command of commands) this.#seen.delete(`${command.command_id} ${command.attempt}`);
    this.takeCommands(commands);
    for (const topic of /** @type {Topic[]} */ (["overview", "accounts", "commands"])) this.changed(topic);
  }
}

export const store = new Store();
