"""Seeded accounts and prices that press on every edge the rules have: for the tests of the watch.

The reference set is small, so that debts, discounts and contracts meet their tier bounds often.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, Balance, OpenOrder, Position
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Cause, Tick
from monitor.watch import Standing

__all__ = [
    "MARKETS",
    "Market",
    "arm",
    "describe",
    "exact_standing",
    "reference",
    "wild_account",
    "with_ratio",
]

START = 1_700_000_000_000


def _currency(discount: str, borrow: str, **more: Any) -> dict[str, Any]:
    """Tiers as `up_to:rate` and `up_to:maintenance`, separated by blanks."""
    return {
        "discount_tiers": [
            {"up_to": bound, "rate": rate}
            for bound, rate in (t.split(":") for t in discount.split())
        ],
        "borrow_tiers": [
            {"up_to": bound, "initial": str(3 * Decimal(rate)), "maintenance": rate}
            for bound, rate in (t.split(":") for t in borrow.split())
        ],
        **more,
    }


def _spot(base: str, quote: str) -> dict[str, Any]:
    return {
        "kind": "spot",
        "family": f"{base}-{quote}",
        "underlying": base,
        "quote": quote,
        "lot": "0.0001",
        "tick": "0.01",
    }


def _contract(base: str, quote: str, kind: str = "swap", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "family": f"{base}-{quote}",
        "underlying": base,
        "quote": quote,
        "settle": quote,
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.1",
        "position_tiers": [
            {"up_to": "100", "initial": "0.01", "maintenance": "0.004"},
            {"up_to": "300", "initial": "0.02", "maintenance": "0.01"},
            {"up_to": "900", "initial": "0.05", "maintenance": "0.025"},
        ],
        **more,
    }


def _inverse(base: str, value: str, kind: str = "swap") -> dict[str, Any]:
    return _contract(base, "USD", kind, settle=base, inverse=True, contract_value=value)


RAW: dict[str, Any] = {
    "currencies": {
        "USDT": _currency(
            "50000:1 200000:0.97", "1000:0.01 20000:0.02 90000:0.05", minimum_rate="0.9"
        ),
        "USDC": _currency("30000:0.99 90000:0.9", "5000:0.02 50000:0.04", minimum_rate="0.5"),
        "BTC": _currency("1:0.98 2:0.95 5:0.5", "0.5:0.02 1:0.03 3:0.06"),
        "ETH": _currency(
            "5000:0.95 20000:0.9", "5:0.02 10:0.04", tier_unit="usd", minimum_rate="0.2"
        ),
        "SOL": _currency("3000:0.8 9000:0.4", "50:0.03", tier_unit="usd"),
        "DOGE": _currency("", "1000:0.1", collateral=False),
    },
    "instruments": {
        "BTC-USDT": _spot("BTC", "USDT"),
        "ETH-USDT": _spot("ETH", "USDT"),
        "ETH-BTC": _spot("ETH", "BTC"),
        "SOL-USDT": _spot("SOL", "USDT"),
        "SOL-USDC": _spot("SOL", "USDC"),
        "BTC-USD": _spot("BTC", "USD"),
        "BTC-USDT-SWAP": _contract("BTC", "USDT"),
        "BTC-USDT-NEAR": _contract("BTC", "USDT", "future"),
        "BTC-USDT-FAR": _contract("BTC", "USDT", "future"),
        "ETH-USDT-SWAP": _contract("ETH", "USDT", contract_value="0.1"),
        "BTC-USDC-SWAP": _contract("BTC", "USDC"),
        "BTC-USDUM-SWAP": _contract("BTC", "USD", family="BTC-USD_UM"),
        "BTC-USD-SWAP": _inverse("BTC", "100"),
        "ETH-USD-SWAP": _inverse("ETH", "10"),
        "SOL-USD-SWAP": _inverse("SOL", "10"),
    },
    "fees": {"default": {"spot_taker": "0.001", "derivative_taker": "0.0005"}},
}

PRICES = {
    "BTC-USD/index": "60000",
    "ETH-USD/index": "3000",
    "USDT-USD/index": "0.999",
    "USDC-USDT/index": "1.001",  # PX-2: USDC through USDT
    "SOL-BTC/index": "0.0025",  # PX-2: SOL through BTC
    "DOGE-USD/index": "0.1",
    "BTC-USDT-SWAP/mark": "60060",
    "BTC-USDT-NEAR/mark": "60500",
    "BTC-USDT-FAR/mark": "61000",
    "ETH-USDT-SWAP/mark": "3003",
    "BTC-USDC-SWAP/mark": "60010",
    "BTC-USDUM-SWAP/mark": "60000",
    "BTC-USD-SWAP/mark": "60030",
    "ETH-USD-SWAP/mark": "2999",
    "SOL-USD-SWAP/mark": "150",
}
MARKETS = tuple(PRICES)


def reference(policy: dict[str, Any] | None = None) -> Reference:
    """The set above; nothing goes stale, and no interest is due, unless `policy` says so."""
    quiet = {"max_age_seconds": {"*": "100000"}, "interest_booking": "exchange"}
    return load_reference({**RAW, "policy": {**quiet, **(policy or {})}})


def with_ratio(account: Account, ref: Reference, prices: PriceBook, ratio: Decimal) -> None:
    """Give or take USDT until the account's ratio is about `ratio`."""
    for _ in range(4):
        found = assess(account, ref, prices)
        gap = ratio * found.requirement - found.adjusted_equity
        account.balance("USDT").cash += (gap / prices.index("USDT")).quantize(Decimal("0.000001"))


def exact_standing(
    engine: Engine, account: Account, figures: Figures, episode: Episode | None = None
) -> Standing | None:
    """What the watch must believe of an account, from figures in decimals, apart from any box."""
    if figures.unpriced:
        return None
    if episode is None:
        episode = engine.entries[account.account_id].episode
    ladder = engine._ladders.of(account.mode, episode)
    zone = len(ladder.levels)
    if figures.ratio is not None:
        zone = sum(1 for level in ladder.levels if figures.ratio > level)
        zone += figures.ratio == 0 and Decimal(0) in ladder.levels  # bankrupt is below 0 (ES-7)
    return Standing(ladder, zone, _has_cancellable(account) and figures.oc1_short)


def _has_cancellable(account: Account) -> bool:
    return any(not o.reduce_only and o.command_id is None for o in account.orders.values())


def arm(engine: Engine, accounts: Iterable[Account], partition: int = 0) -> None:
    """Let the engine adopt accounts and answer for them."""
    for account in accounts:
        engine.adopt(account, Episode(), partition)
    engine.armed.add(partition)
    engine.examine(list(engine.entries), Cause(kind="recovery", ts=engine.now))


class Market:
    """Prices that walk, jump, and come back to where they were."""

    def __init__(self, rng: Random, ref: Reference, keys: Iterable[str] = MARKETS) -> None:
        self.rng = rng
        self.reference = ref
        self.now = START
        self.last = {key: Decimal(PRICES[key]) for key in keys}
        self.past = {key: [price] for key, price in self.last.items()}
        self._offset = 0

    def tick(self, key: str, price: Decimal) -> tuple[Tick, int]:
        symbol, _, kind = key.rpartition("/")
        self._offset += 1
        self.now += 1
        self.last[key] = price
        self.past.setdefault(key, []).append(price)
        return Tick.model_validate(
            {"symbol": symbol, "kind": kind, "price": price, "ts": self.now}
        ), self._offset

    def opening(self) -> list[tuple[Tick, int]]:
        return [self.tick(key, price) for key, price in list(self.last.items())]

    def book(self) -> PriceBook:
        book = PriceBook()
        for tick, offset in self.opening():
            book.take(tick, offset, self.reference.policy, self.now)
        return book

    def step(self, wildness: float = 1.0) -> tuple[Tick, int]:
        """One price moves: mostly a little, sometimes by a gap, sometimes back to the start."""
        rng = self.rng
        key = rng.choice(tuple(self.last))
        kind = rng.random()
        if kind < 0.1:
            price = rng.choice(self.past[key])
        else:
            size = 0.3 if kind < 0.13 else 10 ** rng.uniform(-5, -1.3)
            if key.startswith("USD"):
                size /= 20
            move = 1 + rng.uniform(-size, size) * wildness
            digits = Decimal(1).scaleb(self.last[key].adjusted() - 8)
            price = (self.last[key] * Decimal(repr(move))).quantize(digits)
        return self.tick(key, price)


def wild_account(rng: Random, name: str, ref: Reference, prices: PriceBook) -> Account:
    """An account of either mode, often near a level, with whatever it may hold, owe or order."""
    account = Account(name, known=True, auto_borrow=rng.random() < 0.8)
    account.account_seq = 0
    account.mode = "spot" if rng.random() < 0.3 else "multi_currency"
    if rng.random() < 0.3:
        account.borrow_leverage = {"*": Decimal(rng.choice((2, 5, 10)))}
    _balances(rng, account)
    if account.mode == "multi_currency":
        account.collateral_off = ("SOL",) if rng.random() < 0.1 else ()
        account.position_mode = "long_short" if rng.random() < 0.25 else "net"
        _positions(rng, account, ref, prices)
    _orders(rng, account, ref, prices)
    if rng.random() < 0.8:
        level = rng.choice(("3.15", "3", "2", "1.5", "1.2", "1", "0"))
        near = rng.choice(("0", "0.0001", "-0.0001", "0.01", "-0.01", "0.1", "-0.1", "2"))
        with_ratio(account, ref, prices, Decimal(level) + Decimal(near))
    return account


def _amount(rng: Random, most: float, places: int = 4) -> Decimal:
    size = most * 10 ** rng.uniform(-2, 0)
    return Decimal(repr(round(size, places)))


_MOST = {
    "USDT": 100_000,
    "USDC": 60_000,
    "BTC": 4,
    "ETH": 20,
    "SOL": 90,
    "USD": 9_000,
    "DOGE": 9_000,
}
_TIER_BOUNDS = {"USDT": "1000", "USDC": "5000", "BTC": "0.5", "ETH": "5", "SOL": "50"}


def _balances(rng: Random, account: Account) -> None:
    for coin, most in _MOST.items():
        if rng.random() < 0.45:
            continue
        cash = _amount(rng, most)
        if rng.random() < 0.35 and coin != "USD":
            cash = -cash / 4
            if rng.random() < 0.3 and coin in _TIER_BOUNDS:
                cash = -Decimal(_TIER_BOUNDS[coin])
        balance = Balance(cash)
        if account.mode == "spot" and rng.random() < 0.5 and coin not in ("USD", "DOGE"):
            at_bound = rng.random() < 0.3
            balance.borrowed = Decimal(_TIER_BOUNDS[coin]) if at_bound else _amount(rng, most / 3)
            if rng.random() < 0.5:
                balance.accrued_interest = _amount(rng, 0.1, 6)
                balance.borrowed -= balance.accrued_interest if at_bound else 0
        account.balances[coin] = balance


def _positions(rng: Random, account: Account, ref: Reference, prices: PriceBook) -> None:
    for instrument, entry in ref.instruments.items():
        if entry.kind == "spot" or rng.random() < 0.7:
            continue
        mark = prices.mark(instrument)
        for side in ("long", "short") if account.position_mode == "long_short" else ("net",):
            size = Decimal(rng.choice((5, 40, 100, 150, 300, 500)))
            if side == "short" or (side == "net" and rng.random() < 0.5):
                size = -size
            at = mark * Decimal(repr(round(rng.uniform(0.9, 1.1), 4)))
            account.positions[f"{instrument}/{side}"] = Position(
                instrument,
                "net" if side == "net" else "long" if side == "long" else "short",
                size,
                at,
            )


def _orders(rng: Random, account: Account, ref: Reference, prices: PriceBook) -> None:
    hedged = account.position_mode == "long_short"
    for number in range(rng.choice((0, 0, 1, 2, 3))):
        spot = account.mode == "spot" or rng.random() < 0.5
        names = [n for n, i in ref.instruments.items() if (i.kind == "spot") == spot]
        name = rng.choice(names)
        entry = ref.instruments[name]
        at = prices.index(entry.underlying) / prices.index(entry.quote)
        price = (at * Decimal(repr(round(rng.uniform(0.9, 1.1), 3)))).quantize(Decimal("0.01"))
        quantity = _amount(rng, _MOST[entry.underlying]) if spot else Decimal(rng.choice((20, 150)))
        market = rng.random() < 0.1
        account.orders[f"o{number}"] = OpenOrder(
            order_id=f"o{number}",
            version=1,
            instrument=name,
            side=rng.choice(("buy", "sell")),
            position_side=rng.choice(("long", "short")) if hedged and not spot else "net",
            margin_mode="cross",
            price=None if market else max(price, Decimal("0.01")),
            quantity=quantity,
            filled_quantity=Decimal(0),
            reduce_only=rng.random() < 0.15,
            auto_borrow=rng.random() < 0.6,
            leverage=Decimal(10) if rng.random() < 0.4 else None,
            created_ts=START,
            command_id="x" if rng.random() < 0.05 else None,
        )


def describe(account: Account, figures: Figures) -> str:
    """For the message of a failed assertion."""
    return (
        f"{account.account_id} {account.mode} ratio {figures.ratio} of {figures.adjusted_equity} / "
        f"{figures.requirement}; {account.balances} {account.positions} {account.orders}"
    )
