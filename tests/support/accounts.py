"""Seeded accounts with everything an account may hold: options, isolated positions, both sides.

Pure: only books and prices, for the tests of margins, liquidation prices and explanations.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, Balance, IsolatedPosition, OpenOrder, Position
from monitor.prices import Price, PriceBook
from monitor.reference import Reference, load_reference

__all__ = ["EXPIRY", "PRICES", "RAW", "any_account", "any_prices", "full_reference", "price_book"]

EXPIRY = 1_800_000_000_000
POSITION_TIERS = [
    {"up_to": "100", "initial": "0.01", "maintenance": "0.004"},
    {"up_to": "300", "initial": "0.02", "maintenance": "0.01"},
    {"up_to": "900", "initial": "0.05", "maintenance": "0.025"},
]
OPTION_TIERS = [
    {"up_to": "50", "initial": "0", "maintenance": "0", "option_factor": "1"},
    {"up_to": "200", "initial": "0", "maintenance": "0", "option_factor": "1.5"},
]


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
        "yearly_rate": "0.05",
        "interest_free_quota": "1",
        **more,
    }


def _instrument(base: str, quote: str, kind: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "kind": kind,
        "family": f"{base}-{quote}",
        "underlying": base,
        "quote": quote,
        "lot": "0.0001" if kind == "spot" else "1",
        "tick": "0.01",
    }
    if kind != "spot":
        made |= {
            "settle": quote,
            "contract_value": "0.01",
            "position_tiers": OPTION_TIERS if kind == "option" else POSITION_TIERS,
        }
    return made | more


def _option(base: str, quote: str, settle: str, strike: str, option_type: str) -> dict[str, Any]:
    return _instrument(
        base,
        quote,
        "option",
        settle=settle,
        strike=strike,
        option_type=option_type,
        expiry=EXPIRY,
        contract_value="1",
        multiplier="0.1",
    )


RAW: dict[str, Any] = {
    "currencies": {
        "USDT": _currency(
            "50000:1 200000:0.97", "1000:0.01 20000:0.02 90000:0.05", minimum_rate="0.9"
        ),
        "BTC": _currency("1:0.98 2:0.95 5:0.5", "0.5:0.02 1:0.03 3:0.06"),
        "ETH": _currency(
            "5000:0.95 20000:0.9", "5:0.02 10:0.04", tier_unit="usd", minimum_rate="0.2"
        ),
        "SOL": _currency("3000:0.8 9000:0.4", "50:0.03", tier_unit="usd"),
        "DOGE": _currency("", "1000:0.1", collateral=False),
    },
    "instruments": {
        "BTC-USDT": _instrument("BTC", "USDT", "spot"),
        "ETH-USDT": _instrument("ETH", "USDT", "spot"),
        "ETH-BTC": _instrument("ETH", "BTC", "spot"),
        "SOL-USDT": _instrument("SOL", "USDT", "spot"),
        "BTC-USDT-SWAP": _instrument("BTC", "USDT", "swap", funding_rate="0.0002"),
        "BTC-USDT-FUT": _instrument("BTC", "USDT", "future", expiry=EXPIRY),
        "ETH-USDT-SWAP": _instrument("ETH", "USDT", "swap", contract_value="0.1"),
        "BTC-USD-SWAP": _instrument(
            "BTC", "USD", "swap", settle="BTC", inverse=True, contract_value="100"
        ),
        "ETH-USD-SWAP": _instrument(
            "ETH", "USD", "swap", settle="ETH", inverse=True, contract_value="10"
        ),
        "BTC-USD-60000-C": _option("BTC", "USD", "BTC", "60000", "call"),
        "BTC-USD-70000-C": _option("BTC", "USD", "BTC", "70000", "call"),
        "BTC-USD-60000-P": _option("BTC", "USD", "BTC", "60000", "put"),
        "BTC-USDT-60000-C": _option("BTC", "USDT", "USDT", "60000", "call"),
        "BTC-USDT-50000-P": _option("BTC", "USDT", "USDT", "50000", "put"),
        "ETH-USD-3000-P": _option("ETH", "USD", "ETH", "3000", "put"),
    },
    "fees": {"default": {"spot_taker": "0.001", "derivative_taker": "0.0005"}},
}

PRICES = {
    "BTC-USD/index": "60000",
    "ETH-USD/index": "3000",
    "USDT-USD/index": "0.999",
    "SOL-BTC/index": "0.0025",  # PX-2: SOL through BTC
    "DOGE-USD/index": "0.1",
    "BTC-USDT-SWAP/mark": "60060",
    "BTC-USDT-FUT/mark": "60500",
    "ETH-USDT-SWAP/mark": "3003",
    "BTC-USD-SWAP/mark": "60030",
    "ETH-USD-SWAP/mark": "2999",
    "BTC-USD-60000-C/mark": "0.05",
    "BTC-USD-70000-C/mark": "0.012",
    "BTC-USD-60000-P/mark": "0.045",
    "BTC-USDT-60000-C/mark": "3000",
    "BTC-USDT-50000-P/mark": "700",
    "ETH-USD-3000-P/mark": "0.06",
}
MOST = {"USDT": 100_000, "BTC": 4, "ETH": 20, "SOL": 90, "USD": 9_000, "DOGE": 9_000}


def full_reference(policy: dict[str, Any] | None = None) -> Reference:
    return load_reference({**RAW, "policy": policy or {}})


def price_book(changed: dict[str, str] | None = None) -> PriceBook:
    book = PriceBook()
    both = {**PRICES, **(changed or {})}
    book.prices = {key: Price(Decimal(price), 1, 0, 0) for key, price in both.items()}
    return book


def any_prices(rng: Random) -> PriceBook:
    """The prices above, each a little away."""
    return price_book(
        {k: str(Decimal(p) * Decimal(rng.randint(950, 1050)) / 1000) for k, p in PRICES.items()}
    )


def _amount(rng: Random, most: float) -> Decimal:
    return Decimal(repr(round(most * 10 ** rng.uniform(-2, 0), 4)))


def any_account(rng: Random, reference: Reference, prices: PriceBook) -> Account:
    """An account of spot or multi_currency mode with whatever it may hold, owe or order."""
    account = Account("a", known=True, auto_borrow=rng.random() < 0.8)
    account.mode = "spot" if rng.random() < 0.25 else "multi_currency"
    if rng.random() < 0.4:
        account.borrow_leverage = {"*": Decimal(rng.choice((2, 5, 10)))}
    for coin, most in MOST.items():
        if rng.random() < 0.5:
            continue
        cash = _amount(rng, most)
        balance = account.balances[coin] = Balance(-cash / 4 if rng.random() < 0.35 else cash)
        if account.mode == "spot" and rng.random() < 0.5 and coin not in ("USD", "DOGE"):
            balance.borrowed = _amount(rng, most / 3)
            balance.accrued_interest = _amount(rng, 0.1)
    if account.mode == "multi_currency":
        account.collateral_off = ("SOL",) if rng.random() < 0.1 else ()
        account.restricted = ("BTC",) if rng.random() < 0.1 else ()
        account.position_mode = "long_short" if rng.random() < 0.25 else "net"
        account.leverage = {"BTC-USDT-SWAP": Decimal(10)} if rng.random() < 0.5 else {}
        _positions(rng, account, reference, prices)
        _isolated(rng, account, reference, prices)
    _orders(rng, account, reference, prices)
    return account


def _positions(rng: Random, account: Account, reference: Reference, prices: PriceBook) -> None:
    for name, entry in reference.instruments.items():
        if entry.kind == "spot" or rng.random() < 0.75:
            continue
        price = prices.mark(name) * Decimal(rng.randint(900, 1100)) / 1000
        sides = ("long", "short") if account.position_mode == "long_short" else ("net",)
        for side in sides:
            size = Decimal(rng.choice((1, 5, 40, 100, 150, 500)))
            if entry.kind == "option":
                size = Decimal(rng.choice((1, 3, 30, 60)))
            if side == "short" or (side == "net" and rng.random() < 0.5):
                size = -size
            account.positions[f"{name}/{side}"] = Position(name, side, size, price)  # type: ignore[arg-type]


def _isolated(rng: Random, account: Account, reference: Reference, prices: PriceBook) -> None:
    for name, entry in reference.instruments.items():
        if entry.kind == "option" or rng.random() < 0.85:
            continue
        short = rng.random() < 0.5
        if entry.kind == "spot":
            quantity, side = _amount(rng, MOST[entry.underlying] / 4), "net"
            price = prices.index(entry.underlying) / prices.index(entry.quote)
            notional = quantity * price
        else:
            quantity = Decimal(rng.choice((1, 40, 100, 150)))
            side = "net"
            if account.position_mode == "long_short":
                side = "short" if short else "long"
            price, size = prices.mark(name), reference.sizes[name]
            notional = quantity * size / price if entry.inverse else quantity * size * price
        price = price * Decimal(rng.randint(950, 1050)) / 1000
        leverage = Decimal(rng.choice((2, 5, 10)))
        held = IsolatedPosition(
            name,
            side,  # type: ignore[arg-type]
            -quantity if short else quantity,
            price,
            (notional / leverage).quantize(Decimal("0.00000001")),
            entry.settle or entry.quote,
            leverage,
        )
        if entry.kind == "spot":
            held.liability = quantity if short else quantity * price
            held.liability_currency = entry.underlying if short else entry.quote
            held.accrued_interest = held.liability / 1000
        account.isolated[f"{name}/isolated/{side}"] = held


def _orders(rng: Random, account: Account, reference: Reference, prices: PriceBook) -> None:
    hedged = account.position_mode == "long_short"
    for number in range(rng.choice((0, 0, 1, 2, 4))):
        names = [
            name
            for name, i in reference.instruments.items()
            if account.mode != "spot" or i.kind == "spot"
        ]
        name = rng.choice(names)
        entry = reference.instruments[name]
        spot = entry.kind == "spot"
        at = (
            prices.index(entry.underlying) / prices.index(entry.quote)
            if spot
            else prices.mark(name)
        )
        price = at * Decimal(rng.randint(900, 1100)) / 1000
        isolated = account.mode != "spot" and entry.kind != "option" and rng.random() < 0.3
        account.orders[f"o{number}"] = OpenOrder(
            order_id=f"o{number}",
            version=1,
            instrument=name,
            side=rng.choice(("buy", "sell")),
            position_side=rng.choice(("long", "short")) if hedged and not spot else "net",
            margin_mode="isolated" if isolated else "cross",
            price=None if rng.random() < 0.15 else price.quantize(Decimal("0.0001")),
            quantity=_amount(rng, MOST[entry.underlying]) if spot else Decimal(rng.choice((5, 90))),
            filled_quantity=Decimal(0),
            reduce_only=rng.random() < 0.1,
            auto_borrow=rng.random() < 0.6,
            leverage=Decimal(10) if rng.random() < 0.4 else None,
            created_ts=1,
            command_id=None,
        )
