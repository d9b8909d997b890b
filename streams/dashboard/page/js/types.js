/**
 * Shapes of the API's answers (docs/api, `GET /openapi.json`). Decimals are strings, times epoch ms.
 *
 * @typedef {string | number | null | undefined} Decimal
 *
 * @typedef {"normal" | "warning" | "liquidation" | "unpriced" | "unassessed"} Band
 *
 * @typedef {{account_id: string, ratio: Decimal, band: Band}} Nearest
 *
 * @typedef {{symbol: string, kind: string, price: string, ts: number, age_ms: number,
 *   change: Decimal, change_since?: number, stale: boolean}} Price
 *
 * @typedef {{worker: string, state: string, partitions: number[], lag: number, last_tick: number | null,
 *   accounts: Record<string, number>, missed_crossings: number, ts: number, age_ms: number}} Worker
 *
 * @typedef {{ts: number, warning: number, liquidation: number, unpriced?: number, normal?: number}} Counts
 *
 * @typedef {{bands: Record<Band, number>, accounts: number, now: number, nearest: Nearest | null,
 *   prices: Price[], workers: Worker[], commands: Record<string, number>, episodes_open: number,
 *   last_tick: number | null, last_tick_age_ms?: number | null, ticks_per_second: number, wall?: number,
 *   clock?: string, redis?: string, kafka?: string, history?: Counts[]}} Overview
 *
 * @typedef {{account_id: string, ratio: Decimal, band: Band, adjusted_equity: Decimal,
 *   maintenance_margin: Decimal, updated_at: number, age_ms: number, trend: Decimal[],
 *   distance: {to_3: Decimal, to_1: Decimal} | null}} AccountRow
 *
 * @typedef {{action: string, instrument?: string | null, currency?: string | null, side?: string | null,
 *   position_side?: string | null, quantity: string, notional_usd: string, from_tier?: number | null,
 *   to_tier?: number | null, bankruptcy_price?: Decimal, fee_usd?: Decimal, why?: string | null}} Action
 *
 * @typedef {{kind: string, symbol?: string | null, price?: Decimal, id?: string | null, ts: number}} Cause
 *
 * @typedef {{command_id: string, kind: string, account_id: string, episode_id: string, sequence: number,
 *   attempt: number, mode: string, position?: string | null, band: Band, ratio: Decimal,
 *   adjusted_equity: Decimal, maintenance_margin: Decimal, liquidation_fee: Decimal, cause: Cause,
 *   prices: Record<string, string>, stale_prices: string[], rules: string[], decided_at: number,
 *   expires_at: number, state?: string, level?: Decimal, reason?: string, order_ids?: string[],
 *   step?: number, phase?: string, actions?: Action[], expected_ratio?: Decimal,
 *   shortfall?: Decimal, published_at?: number, event_id?: string}} Command
 *
 * @typedef {{episode_id: string, opened_at: number | null, closed_at: number | null, state: string,
 *   position?: string | null, commands: Command[]}} Episode
 *
 * @typedef {{name: string, value: Decimal, unit: string, rule: string, kind: string, formula: string,
 *   children?: TreeNode[]}} TreeNode
 *
 * @typedef {{assessment: any, explanation: TreeNode | null, episodes: Episode[], orders: any[],
 *   settings: Record<string, any> | null, updated_at: number, age_ms: number, behind?: boolean,
 *   episodes_complete?: boolean}} AccountDetail
 *
 * @typedef {{instrument: string, position_side: string, quantity: string, delta: Decimal, gamma: Decimal,
 *   vega: Decimal, theta: Decimal, implied_volatility?: Decimal}} UnitPosition
 *
 * @typedef {{maintenance_margin: Decimal, initial_margin: Decimal, delta: Decimal, gamma: Decimal,
 *   vega: Decimal, theta: Decimal, spot_in_use: Decimal, charges: Record<string, Decimal>,
 *   scenarios: Record<string, Record<string, Decimal>>,
 *   filled?: "none" | "buys" | "sells",
 *   worst: {volatility: string, spot: Decimal, pnl: Decimal}, extreme: {spot: Decimal, pnl: Decimal},
 *   positions: UnitPosition[]}} RiskUnit
 *
 * @typedef {{limit: Decimal, used: Decimal, left: Decimal}} Limit
 */
export {};
