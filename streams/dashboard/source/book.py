"""One account's book as the cache has it, and what follows from it at the prices of this moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.account import Account
from monitor.borrowing import borrowing_table
from monitor.escalation import Episode
from monitor.exact import plain, use_exact_context
from monitor.explain import explain, plain_tree
from monitor.liquidation_price import LiquidationPrice, LiquidationPrices, liquidation_prices
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.questions import Question, answer
from monitor.reference import Reference
from monitor.report import assessment
from monitor.schema import Assessment
from monitor.schema.checks import BorrowingFigures, CheckAnswer
from streams.cache_scripts import account_key
from streams.dashboard.source.cache import CacheReader
from streams.dashboard.source.exceptions import Away, NotKnown, NotPriced
from streams.dashboard.source.market import Market

__all__ = [
    "Book",
    "Books",
    "LiquidationRow",
    "Stored",
    "liquidation_row",
    "orders_of",
    "same_book",
    "settings_of",
]

_KEPT_SECONDS = 2.0
"""How long liquidation prices serve: they take some hundred assessments for each underlying."""
_REMEMBERED = 100


class _State(msgspec.Struct):
    account: Account
    episode: Episode = msgspec.field(default_factory=Episode)
    isolated: dict[str, Episode] = {}


_decode = msgspec.json.Decoder(_State).decode


@dataclass(frozen=True, slots=True)
class Stored:
    """An account as its worker wrote it, with its figures of that moment as JSON."""

    account: Account
    episode: Episode
    isolated: Mapping[str, Episode]
    updated_at: int
    assessment: msgspec.Raw


@dataclass(slots=True)
class Book:
    """An account and its figures, all of one moment."""

    account: Account
    episode: Episode
    isolated: Mapping[str, Episode]
    updated_at: int
    """When the cache had it, epoch ms of the engine."""
    reference: Reference
    prices: PriceBook
    now: int
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = assess(self.account, self.reference, self.prices)


class LiquidationRow(msgspec.Struct):
    """MR-4 of one position or debt; decimals as strings, None where there is none."""

    name: str
    price: str | None
    buys_filled: str | None
    sells_filled: str | None


class Books:
    """Accounts out of Redis, on request."""

    def __init__(self, cache: CacheReader, market: Market) -> None:
        self._cache, self._market = cache, market
        self._heavy = asyncio.Semaphore(1)
        """One at a time: the page of one account must not take the core from all others."""
        self._liquidation: dict[str, tuple[float, int, LiquidationPrices]] = {}

    async def of(self, account_id: str) -> Book:
        """Return an account as it stands. Raises `Away`, `NotKnown`."""
        reference = self._market.reference
        if reference is None:
            raise Away("kafka", "no reference set is known yet")
        stored = await self.stored(account_id)
        return Book(
            stored.account,
            stored.episode,
            stored.isolated,
            stored.updated_at,
            reference,
            self._market.frozen_prices(),
            self._market.now(),
        )

    async def stored(self, account_id: str) -> Stored:
        """Return an account as Redis has it. Raises `Away`, `NotKnown`."""
        state, updated, figures = await self._cache.ask(
            lambda client: client.hmget(
                account_key(account_id), ("state", "updated_at", "assessment")
            )
        )
        if state is None:
            raise NotKnown(f"unknown account {account_id}")
        try:
            found = _decode(state)
        except msgspec.DecodeError as error:
            raise NotKnown(f"account {account_id} is not understood: {error}") from error
        return Stored(
            found.account,
            found.episode,
            found.isolated,
            int(updated or 0),
            msgspec.Raw(figures or b"null"),
        )

    def borrowing(self, book: Book) -> dict[str, BorrowingFigures]:
        """BL-4. Raises `NotPriced`."""
        _priced(book)
        return borrowing_table(book.account, book.figures, book.reference, self._market.totals)

    async def liquidation(self, book: Book) -> LiquidationPrices:
        """MR-4, at most two seconds old and never of another book. Raises `NotPriced`."""
        _priced(book)
        name, now = book.account.account_id, time.monotonic()
        known = self._liquidation.get(name)
        if known is not None and known[1] == book.updated_at and now - known[0] < _KEPT_SECONDS:
            return known[2]
        async with self._heavy:
            found = await asyncio.to_thread(_liquidation, book)
        self._liquidation.pop(name, None)
        self._liquidation[name] = (now, book.updated_at, found)
        if len(self._liquidation) > _REMEMBERED:
            del self._liquidation[next(iter(self._liquidation))]
        return found

    async def assessment(self, book: Book) -> Assessment:
        """Return every figure; an unpriced account names what it misses."""
        policy = book.reference.policy
        stale = self._market.prices.stale(book.figures.symbols, policy, book.now)
        if book.figures.unpriced:
            return assessment(book.account, book.figures, policy, stale)
        return assessment(
            book.account,
            book.figures,
            policy,
            stale,
            borrowing=self.borrowing(book),
            liquidation=await self.liquidation(book),
        )

    @staticmethod
    def explanation(book: Book) -> dict[str, Any]:
        """Return why the figures are what they are, as a tree."""
        return plain_tree(explain(book.account, book.figures, book.reference, book.prices))

    def check(self, book: Book, question: Question) -> CheckAnswer:
        """Answer a question from what the cache has. Raises `BadQuestion`."""
        return answer(
            book.account, question, book.reference, book.prices, self._market.totals, book.now
        )


def _priced(book: Book) -> None:
    if book.figures.unpriced:
        raise NotPriced(f"no price of {', '.join(book.figures.unpriced)}")


def _liquidation(book: Book) -> LiquidationPrices:
    use_exact_context()  # contexts belong to threads
    return liquidation_prices(book.account, book.figures, book.reference, book.prices)


def liquidation_row(name: str, found: LiquidationPrice) -> LiquidationRow:
    """Return one price with its variants as strings."""
    price, buys, sells = (None if value is None else plain(value) for value in found)
    return LiquidationRow(name, price, buys, sells)


def same_book(one: Assessment, other: Assessment) -> bool:
    """Whether two assessments are of one book: prices apart, nothing differs that a fill changes."""
    return bool(_holdings(one) == _holdings(other))


def _holdings(found: Assessment) -> Any:
    coins = {
        name: (coin.cash, coin.borrowed, coin.accrued_interest)
        for name, coin in found.currencies.items()
    }
    positions = {(p.instrument, p.position_side): p.quantity for p in found.positions}
    isolated = {
        (p.instrument, p.position_side): (p.quantity, p.margin, p.liability) for p in found.isolated
    }
    return coins, positions, isolated, found.mode


def orders_of(account: Account) -> list[dict[str, Any]]:
    """Return the open orders, by id; decimals as strings."""
    return [
        {
            "order_id": order.order_id,
            "instrument": order.instrument,
            "side": order.side,
            "position_side": order.position_side,
            "margin_mode": order.margin_mode,
            "price": None if order.price is None else plain(order.price),
            "quantity": plain(order.quantity),
            "filled_quantity": plain(order.filled_quantity),
            "remaining": plain(order.remaining),
            "reduce_only": order.reduce_only,
            "auto_borrow": order.auto_borrow,
            "leverage": None if order.leverage is None else plain(order.leverage),
            "created_ts": order.created_ts,
            "command_id": order.command_id,
        }
        for _, order in sorted(account.orders.items())
    ]


def settings_of(account: Account) -> dict[str, Any]:
    """Return an account's settings as its messages have them."""
    return {
        "mode": account.mode,
        "auto_borrow": account.auto_borrow,
        "auto_repay": account.auto_repay,
        "position_mode": account.position_mode,
        "main_account_id": account.main_account_id,
        "vip_level": account.vip_level,
        "fee_schedule": account.fee_schedule,
        "leverage": {name: plain(value) for name, value in account.leverage.items()},
        "borrow_leverage": {name: plain(value) for name, value in account.borrow_leverage.items()},
        "collateral_off": list(account.collateral_off),
        "restricted": list(account.restricted),
        "out_of_sync": account.out_of_sync,
    }
