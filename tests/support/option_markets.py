"""Seeded option markets and accounts that trade in them: for the tests of cells and boxes (PM, MM-3).

Marks of options follow a volatility of their own that wanders apart from the index, so they move with
it and against it; expiries and buckets lie near, and moments jump over them.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, Balance, OpenOrder, Position
from monitor.margin import assess
from monitor.options import value, years_between
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Tick

__all__ = [
    "START",
    "OptionMarket",
    "option_account",
    "option_holder",
    "option_reference",
    "tuned",
]

START = 1_700_000_000_000
_DAY = 86_400_000
_EXPIRIES = {"near": _DAY // 3, "week": 7 * _DAY + 7_200_000, "quarter": 80 * _DAY}
_INDEX = {"BTC": "60000", "ETH": "3000", "USDT": "0.9995", "USDC": "1.0001"}
_OPTION_TIERS = [
    {"up_to": "4", "initial": "0", "maintenance": "0"},
    {"up_to": "9", "initial": "0", "maintenance": "0", "option_factor": "1.3"},
    {"up_to": "30", "initial": "0", "maintenance": "0", "option_factor": "2"},
]
_STRIKES = {"BTC": (40000, 57000, 60000, 64000, 90000), "ETH": (2400, 3000, 3300)}


def _derivative(base: str, quote: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "family": f"{base}-{quote}",
        "underlying": base,
        "quote": quote,
        "settle": quote,
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.0001",
        "position_tiers": [{"up_to": "100000", "initial": "0.02", "maintenance": "0.01"}],
        **more,
    }


def _instruments() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base, strikes in _STRIKES.items():
        found[f"{base}-USDT"] = {
            "kind": "spot",
            "family": f"{base}-USDT",
            "underlying": base,
            "quote": "USDT",
            "lot": "0.0001",
            "tick": "0.01",
        }
        inverse = {"inverse": True, "settle": base, "contract_value": "100"}
        found[f"{base}-USDT-SWAP"] = _derivative(base, "USDT", "swap")
        found[f"{base}-USDC-SWAP"] = _derivative(base, "USDC", "swap")
        found[f"{base}-USD-SWAP"] = _derivative(base, "USD", "swap", **inverse)
        for label, left in _EXPIRIES.items():
            expiry = {"expiry": START + left}
            if label == "quarter":
                found[f"{base}-USD-{label}"] = _derivative(
                    base, "USD", "future", **inverse, **expiry
                )
            if label == "week":
                found[f"{base}-USDT-{label}"] = _derivative(base, "USDT", "future", **expiry)
            for strike in strikes:
                for side in ("call", "put"):
                    more: dict[str, Any] = {**expiry, "strike": str(strike), "option_type": side}
                    more |= {"contract_value": "1", "position_tiers": _OPTION_TIERS}
                    coin = {"settle": base, "inverse": True}
                    name = f"{base}-USD-{label}-{strike}-{side}"
                    found[name] = _derivative(base, "USD", "option", **{**more, **coin})
                    if base == "BTC" and label != "quarter":
                        name = f"{base}-USDC-{label}-{strike}-{side}"
                        found[name] = _derivative(base, "USDC", "option", **more)
    return found


def _unit(basis: str) -> dict[str, Any]:
    return {
        "spot_shocks": ["0.04", "0.08", "0.12"],
        "extreme_shock": "0.24",
        "basis_perpetual": basis,
        "basis_yearly": "0.05",
        "minimum_charge": "0.0045",
        "minimum_scale": [{"up_to": "3000", "factor": "1"}, {"up_to": "9000", "factor": "1.5"}],
        "option_minimum": "0.003",
        "volatility_shocks": [
            {"days": "0.25", "up": "0.6", "down": "0.4"},
            {"days": "7", "up": "0.5", "down": "0.3"},
            {"days": "30", "up": "0.3", "down": "0.2"},
        ],
        "tenors": [
            {"days": "7", "shock": "0.12"},
            {"days": "30", "shock": "0.08", "offsets": ["0.4"]},
            {"days": "90", "shock": "0.05", "offsets": ["0.2", "0.6"]},
        ],
        "rate_shocks": [{"days": "30", "shock": "0.01"}, {"days": "90", "shock": "0.02"}],
        "stablecoin_table": [
            {"index": "0.999", "tiers": [{"up_to": "1000000", "rate": "0.001"}]},
            {
                "index": "0.98",
                "tiers": [{"up_to": "20000", "rate": "0.01"}, {"up_to": "90000", "rate": "0.03"}],
            },
            {"index": "0", "tiers": [{"up_to": "1000000", "rate": "0.1"}]},
        ],
    }


def option_reference(policy: dict[str, Any] | None = None) -> Reference:
    """Two underlyings, coin- and dollar-margined options, and parameters that change in a day."""
    tiers = [
        {"up_to": "2000", "initial": "0.06", "maintenance": "0.02"},
        {"up_to": "900000", "initial": "0.15", "maintenance": "0.05"},
    ]
    coin = {
        "discount_tiers": [{"up_to": "2", "rate": "0.98"}, {"up_to": "8", "rate": "0.9"}],
        "minimum_rate": "0.5",
        "interest_free_quota": "3",
        "borrow_tiers": [
            {"up_to": "0.5", "initial": "0.1", "maintenance": "0.03"},
            {"up_to": "100", "initial": "0.2", "maintenance": "0.06"},
        ],
    }
    quiet = {"max_age_seconds": {"*": "10000000"}, "interest_booking": "exchange"}
    later = {**_unit("0.004"), "spot_shocks": ["0.05", "0.1", "0.15"]}
    return load_reference(
        {
            "currencies": {
                "BTC": coin,
                "ETH": coin,
                "USDT": {
                    "minimum_rate": "1",
                    "borrow_tiers": tiers,
                    "interest_free_quota": "500000",
                },
                "USDC": {
                    "interest_free_quota": "500",
                    "tier_unit": "usd",
                    "discount_tiers": [{"up_to": "20000", "rate": "1"}],
                    "minimum_rate": "0.95",
                    "borrow_tiers": tiers,
                },
            },
            "instruments": _instruments(),
            "policy": {**quiet, **(policy or {})},
            "portfolio": [
                {"valid_from": "2023-01-01", "units": {"default": _unit("0.002")}},
                {"valid_from": "2023-11-16", "units": {"default": later}},
            ],
        }
    )


class OptionMarket:
    """Prices tick by tick: indices, forwards with a basis, and volatilities that wander."""

    def __init__(self, rng: Random, ref: Reference) -> None:
        self.rng, self.reference, self.now = rng, ref, START
        self.book = PriceBook()
        self.last: dict[str, Decimal] = {}
        self.volatility: dict[str, float] = {}
        self._offset = 0
        self._taken: list[tuple[Tick, int]] = []
        for name, price in _INDEX.items():
            self._take(f"{name}-USD", "index", Decimal(price))
        for name, instrument in ref.instruments.items():
            if instrument.kind == "spot":
                continue
            if instrument.kind != "option":
                self._take(name, "mark", self._outright(name, 0.002 * rng.uniform(-1, 1)))
            else:
                self.volatility[name] = rng.uniform(0.3, 0.9)
        for name in self.volatility:
            self._take(name, "mark", self._option(name))
        self.opening, self._taken = self._taken, []

    def _take(self, symbol: str, kind: str, price: Decimal) -> tuple[Tick, int]:
        self._offset += 1
        self.last[f"{symbol}/{kind}"] = price
        tick = Tick.model_validate(
            {"symbol": symbol, "kind": kind, "price": price, "ts": self.now, "seq": self._offset}
        )
        self.book.take(tick, self._offset, self.reference.policy, self.now)
        self._taken.append((tick, self._offset))
        return self._taken[-1]

    def _outright(self, name: str, basis: float) -> Decimal:
        instrument = self.reference.instruments[name]
        index = self.last[f"{instrument.underlying}-USD/index"]
        quote = self.last.get(f"{instrument.quote}-USD/index", Decimal(1))
        return (index / quote * Decimal(repr(1 + basis))).quantize(Decimal("0.01"))

    def _option(self, name: str) -> Decimal:
        instrument = self.reference.instruments[name]
        index = float(self.last[f"{instrument.underlying}-USD/index"])
        years = years_between(self.now, instrument.expiry or 0)
        worth = value(
            instrument.option_type or "call",
            index,
            float(instrument.strike or 0),
            years,
            self.volatility[name],
        )
        in_coin = instrument.settle == instrument.underlying
        step = Decimal("0.00000001") if in_coin else Decimal("0.0001")
        price = Decimal(repr(worth / index if in_coin else worth)).quantize(step)
        return max(step, price)

    def step(self, wildness: float = 1.0) -> tuple[Tick, int]:
        """One price moves: mostly a little, sometimes by a gap; time passes, sometimes by a day."""
        rng = self.rng
        self.now += rng.choice((0, 1, 5, 40, 1_000))
        if rng.random() < 0.03 * wildness:
            self.now += rng.choice((60_000, 3_600_000, 9_000_000, _DAY))
        gap = rng.random() < 0.05
        size = 0.15 if gap else 10 ** rng.uniform(-5, -2)
        move = 1 + rng.uniform(-size, size) * wildness
        key = rng.choice(tuple(self.last))
        if rng.random() < 0.3:
            key = rng.choice(("BTC-USD/index", "ETH-USD/index", "BTC-USD/index", "USDT-USD/index"))
        symbol, _, kind = key.rpartition("/")
        if kind == "index":
            if symbol.startswith("USD"):
                move = 1 + (move - 1) / 10
            digits = Decimal("0.0001") if symbol.startswith("USD") else Decimal("0.01")
            return self._take(symbol, kind, (self.last[key] * Decimal(repr(move))).quantize(digits))
        if symbol in self.volatility:
            self.volatility[symbol] = min(3.0, max(0.02, self.volatility[symbol] * move**2))
            against = Decimal(repr(move)) if rng.random() < 0.3 else Decimal(1)
            price = (self._option(symbol) * against).quantize(Decimal("0.00000001"))
            return self._take(symbol, kind, max(Decimal("0.00000001"), price))
        return self._take(symbol, kind, self._outright(symbol, 0.003 * rng.uniform(-1, 1)))


def option_account(rng: Random, name: str, ref: Reference, prices: PriceBook) -> Account:
    """An account of risk units, often near a level, with whatever units may hold and order."""
    account = Account(name, known=True, auto_borrow=rng.random() < 0.8, mode="portfolio")
    account.account_seq = 0
    hedged = rng.random() < 0.3
    account.position_mode = "long_short" if hedged else "net"
    _hold(rng, account)
    bases = [base for base in _STRIKES if rng.random() < 0.7] or ["BTC"]
    names = [n for n, i in ref.instruments.items() if i.underlying in bases and i.kind != "spot"]
    for instrument in rng.sample(names, min(len(names), rng.choice((1, 3, 8, 20)))):
        sides = ["net"]
        if hedged:
            sides = ["long", "short"] if rng.random() < 0.5 else [rng.choice(("long", "short"))]
        for side in sides:
            _position(rng, account, ref, prices, instrument, side)
    for number in range(rng.choice((0, 0, 1, 3))):
        _order(rng, account, ref, prices, rng.choice(names), number)
    if rng.random() < 0.3:
        account.spot_hedge = {base: Decimal(rng.choice((0, 1, 3))) for base in bases}
    if rng.random() < 0.85:
        level = rng.choice(("3.15", "3", "2", "1.5", "1.2", "1", "0"))
        near = rng.choice(("0", "0.0001", "-0.0001", "0.01", "-0.01", "0.05", "0.3", "2"))
        tuned(account, ref, prices, Decimal(level) + Decimal(near))
    return account


def option_holder(rng: Random, name: str, ref: Reference, prices: PriceBook) -> Account:
    """The same in multi-currency mode (MM-3)."""
    account = option_account(rng, name, ref, prices)
    account.mode, account.spot_hedge = "multi_currency", {}
    if rng.random() < 0.3:
        account.borrow_leverage = {"*": Decimal(rng.choice((2, 5, 10)))}
    account.collateral_off = ("ETH",) if rng.random() < 0.1 else ()
    if rng.random() < 0.9:
        level = rng.choice(("3.15", "3", "2", "1.5", "1.2", "1", "0"))
        near = rng.choice(("0", "0.0001", "-0.0001", "0.01", "-0.01", "0.1", "-0.1", "2"))
        tuned(account, ref, prices, Decimal(level) + Decimal(near))
    return account


def _hold(rng: Random, account: Account) -> None:
    for coin, most in {"USDT": 50_000, "USDC": 50_000, "BTC": 4, "ETH": 20, "USD": 9_000}.items():
        if rng.random() < 0.4:
            continue
        cash = Decimal(repr(round(most * 10 ** rng.uniform(-2, 0), 4)))
        if rng.random() < 0.3 and coin != "USD":
            cash = -cash / 4
        account.balances[coin] = Balance(cash)


def _position(
    rng: Random, account: Account, ref: Reference, prices: PriceBook, name: str, side: str
) -> None:
    instrument, mark = ref.instruments[name], prices.mark(name)
    size = Decimal(rng.choice((1, 2, 5))) * (1 if instrument.kind == "option" else 40)
    if side == "short" or (side == "net" and rng.random() < 0.5):
        size = -size
    at = mark * Decimal(repr(round(rng.uniform(0.9, 1.1), 4)))
    account.positions[f"{name}/{side}"] = Position(name, side, size, at)  # type: ignore[arg-type]


def _order(
    rng: Random, account: Account, ref: Reference, prices: PriceBook, name: str, number: int
) -> None:
    hedged = account.position_mode == "long_short"
    instrument = ref.instruments[name]
    account.orders[f"o{number}"] = OpenOrder(
        order_id=f"o{number}",
        version=1,
        instrument=name,
        side=rng.choice(("buy", "sell")),
        position_side=rng.choice(("long", "short")) if hedged else "net",
        margin_mode="cross",
        price=None if rng.random() < 0.05 else prices.mark(name) * rng.choice((1, 2)),
        quantity=Decimal(rng.choice((1, 4))) * (1 if instrument.kind == "option" else 40),
        filled_quantity=Decimal(0),
        reduce_only=rng.random() < 0.15,
        auto_borrow=rng.random() < 0.6,
        leverage=None,
        created_ts=START,
        command_id="x" if rng.random() < 0.05 else None,
    )


def tuned(account: Account, ref: Reference, prices: PriceBook, ratio: Decimal) -> None:
    """Give or take USDT until the account's ratio is about `ratio`."""
    for _ in range(4):
        found = assess(account, ref, prices)
        gap = ratio * found.requirement - found.adjusted_equity
        account.balance("USDT").cash += (gap / prices.index("USDT")).quantize(Decimal("0.000001"))
