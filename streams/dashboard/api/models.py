"""The answers' shapes, for /openapi.json; decimals are strings, times epoch ms."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from monitor.schema import Assessment
from monitor.schema.checks import BorrowingFigures, CheckAnswer

__all__ = [
    "AccountDetail",
    "AccountRow",
    "AccountsPage",
    "Answer",
    "BorrowingAnswer",
    "CommandsPage",
    "CurrencyRates",
    "Distance",
    "Episode",
    "Error",
    "InterestAnswer",
    "LiquidationPricesAnswer",
    "Nearest",
    "Overview",
    "PriceRow",
    "RatesAnswer",
    "Row",
    "WorkerRow",
]


class Error(BaseModel):
    """What every answer but 2xx carries; `field` names what is wrong, where one is."""

    error: str
    field: str


class Nearest(BaseModel):
    account_id: str
    ratio: str
    band: str


class PriceRow(BaseModel):
    symbol: str
    kind: Literal["index", "mark"]
    price: str
    ts: int
    age_ms: int
    """Milliseconds of the wall, in a replay too."""
    change: str | None
    """Relative, since `change_since`: a day ago where hour prices are known."""
    change_since: int
    stale: bool


class WorkerRow(BaseModel):
    worker: str
    state: str
    partitions: list[int]
    accounts: dict[str, int]
    lag: int
    last_tick: int | None
    missed_crossings: int
    out_of_sync: int
    dead_letters: int
    stale_symbols: list[str]
    now: int
    ts: int
    age_ms: int


class Overview(BaseModel):
    """`redis` and `kafka`: `ok`, `none`, or `away since …`; what is away keeps its last figures."""

    bands: dict[str, int]
    accounts: int
    now: int
    wall: int
    clock: Literal["wall", "event"]
    nearest: Nearest | None
    prices: list[PriceRow]
    workers: list[WorkerRow]
    commands: dict[str, int]
    """Of the last minute, by kind."""
    episodes_open: int
    last_tick: int | None
    last_tick_age_ms: int | None
    ticks_per_second: float
    redis: str
    kafka: str
    history: list[dict[str, int]] = []
    """Accounts by band at `ts` of the wall, one a second for ten minutes; not in the stream."""


class Distance(BaseModel):
    """The move of all risk prices together, in percent, that brings the ratio to 3 and to 1."""

    to_3: str | None
    to_1: str | None


class AccountRow(BaseModel):
    account_id: str
    ratio: str | None
    band: str | None
    adjusted_equity: str | None
    maintenance_margin: str | None
    updated_at: int
    age_ms: int
    trend: list[float]
    distance: Distance | None
    """Null: not worked out yet."""


class AccountsPage(BaseModel):
    accounts: list[AccountRow]
    next: str | None
    total: int


class Episode(BaseModel):
    episode_id: str
    position: str | None
    opened_at: int | None
    closed_at: int | None
    state: str
    commands: list[dict[str, Any]]


class AccountDetail(BaseModel):
    """`source`: `owner` when the account's worker has confirmed the book, else `cache`.

    When the owner's book is newer, `assessment` is the owner's and `behind` says that the rest is
    of the book before.
    """

    assessment: Assessment
    explanation: dict[str, Any] | None
    episodes: list[Episode]
    episodes_complete: bool
    orders: list[dict[str, Any]]
    settings: dict[str, Any]
    episode: dict[str, Any]
    isolated_episodes: dict[str, dict[str, Any]]
    updated_at: int
    age_ms: int
    now: int
    source: Literal["owner", "cache"]
    behind: bool


class CommandsPage(BaseModel):
    """Newest first; `next` is what to ask `before`. `source` `cache`: read from Redis meanwhile."""

    commands: list[dict[str, Any]]
    next: str | None
    source: Literal["topics", "cache"]


class Row(BaseModel):
    """MR-4 of a position (mark) or a debt (index in USD)."""

    name: str
    price: str | None
    buys_filled: str | None
    sells_filled: str | None


class LiquidationPricesAnswer(BaseModel):
    account_id: str
    positions: list[Row]
    debts: list[Row]
    isolated: list[Row]


class BorrowingAnswer(BaseModel):
    account_id: str
    currencies: list[BorrowingFigures]
    totals_age_ms: int | None
    """H-10; null: unknown."""


class InterestAnswer(BaseModel):
    """IN-6: notices newest first; `due` is accrued and not deducted yet."""

    account_id: str
    records: list[dict[str, Any]]
    complete: bool
    due: list[dict[str, Any]]


class CurrencyRates(BaseModel):
    currency: str
    lent_out: str | None
    last_rate: str | None
    last_hour: int | None
    next_rate: str
    pool: str | None
    utilisation: str | None


class RatesAnswer(BaseModel):
    currencies: list[CurrencyRates]


class Answer(CheckAnswer):
    """A check's answer; `source`: the account's worker, or the cache when it does not answer."""

    source: Literal["owner", "cache"]
