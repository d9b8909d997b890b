"""Portfolio accounts in liquidation: the small world over two risk units, and seeded books."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import assume

from monitor.account import Account, Balance, Position
from monitor.account.state import position_key
from monitor.margin import Figures
from monitor.schema import Command
from monitor.schema.events import PositionSide
from tests.rules.reduction_world import World
from tests.support.markets import with_ratio
from tests.support.portfolio import (
    NOW,
    STRIKES,
    any_portfolio_account,
    market,
    parameters,
    portfolio_reference,
    price_book_at,
    raw_portfolio,
)

__all__ = [
    "CLOSE",
    "NOW",
    "PRICES",
    "Desk",
    "d",
    "held",
    "in_danger",
    "in_liquidation",
    "risk_reversal",
    "same",
    "seeded",
]

REFERENCE = portfolio_reference()
PRICES = market(REFERENCE)
CLOSE = Decimal("1e-30")


def d(value: str | int) -> Decimal:
    return Decimal(value)


class Desk(World):
    """The small world over the prices of two risk units, all of one time."""

    def __init__(self, made: Account, policy: dict[str, Any] | None = None, **changed: Any) -> None:
        """`changed` replaces parameters of the units."""
        sets = [{"valid_from": "2025-01-06", "units": {"default": parameters(**changed)}}]
        super().__init__(
            made, raw=raw_portfolio({"max_age_seconds": {"*": "100000"}, **(policy or {})}, sets)
        )
        self.now = NOW
        self.book = price_book_at(PRICES, self.reference)

    def move(self, prices: Mapping[str, str] | None = None, later_ms: int = 1) -> list[Command]:
        """Let time pass; every price is repeated."""
        assert not prices, "the marks of options follow from a whole market"
        self.now += later_ms
        self.book = price_book_at(PRICES, self.reference, self.now)
        return self.decide()


def held(positions: dict[str, str], **balances: str) -> Account:
    made = Account("A1", known=True, mode="portfolio", auto_borrow=True, account_seq=0)
    made.balances = {coin: Balance(d(cash)) for coin, cash in balances.items()}
    for place, quantity in positions.items():
        name, _, given_side = place.partition("/")
        key: PositionSide = "net"
        if given_side:
            key = "long" if given_side == "long" else "short"
        entry = "0.05" if name.endswith(("-C", "-P")) else PRICES[name]
        made.positions[f"{name}/{key}"] = Position(name, key, d(quantity), d(entry))
        if given_side:
            made.position_mode = "long_short"
    return made


def in_liquidation(made: Account, share: str, **changed: Any) -> Desk:
    """Give the account the USDT that brings its ratio to `share`; `changed` as of `Desk`."""
    desk = Desk(made, **changed)
    with_ratio(made, desk.reference, desk.book, d(share))
    return desk


def _both_sides(rng: Random, made: Account) -> None:
    """Put the account into long_short mode, with a part of the other side of some perpetuals."""
    held = list(made.positions.values())
    made.position_mode, made.positions = "long_short", {}
    for one in held:
        side: PositionSide = "long" if one.quantity > 0 else "short"
        _hold(made, one, side, one.quantity)
        half = -(one.quantity // 2)
        if half and REFERENCE.instruments[one.instrument].kind == "swap" and rng.random() < 0.5:
            _hold(made, one, "short" if side == "long" else "long", half)


def _hold(made: Account, one: Position, side: PositionSide, quantity: Decimal) -> None:
    key = position_key(one.instrument, side)
    made.positions[key] = Position(one.instrument, side, quantity, one.entry_price)


def seeded(seed: int, policy: dict[str, Any] | None = None) -> Desk:
    rng = Random(seed)
    made = any_portfolio_account(rng, REFERENCE, orders=False)
    made.account_id, made.account_seq = "A1", 0
    if rng.random() < 0.3:
        _both_sides(rng, made)
    desk = Desk(made, policy)
    assume(desk.figures().requirement > 0)
    with_ratio(made, desk.reference, desk.book, d(rng.randint(5, 100)) / 100)
    return desk


def risk_reversal(seed: int) -> Desk:
    """A put against a call of one expiry, one short and one long, and little of the coin."""
    rng = Random(seed)
    coin, scale = rng.choice((("BTC", 10), ("ETH", 300)))
    day = rng.choice(("250328", "251226"))
    put, call = (f"{coin}-USD-{day}-{rng.choice(STRIKES[coin])}-{kind}" for kind in "PC")
    short, long = rng.choice(((put, call), (call, put)))
    sizes = {short: str(-scale * rng.randint(5, 40)), long: str(scale * rng.randint(5, 40))}
    made = held(sizes, **{coin: str(d(rng.randint(0, 100)) * scale / 10_000)})
    up, down = (str(d(rng.randint(10, 40)) / 100) for _ in range(2))
    shocks = [{"days": "365", "up": up, "down": down}]
    return in_liquidation(made, str(d(rng.randint(60, 100)) / 100), volatility_shocks=shocks)


def in_danger(figures: Figures) -> bool:
    return figures.ratio is not None and figures.ratio <= 1


def same(left: Decimal | None, right: Decimal | None) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= CLOSE * max(Decimal(1), abs(left))
