"""A reference set with two risk units, prices for all of it, and portfolio accounts of any kind."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, Balance, OpenOrder, Position
from monitor.account.state import position_key
from monitor.options import value
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Policy, Tick

__all__ = [
    "EXPIRIES",
    "NOW",
    "STRIKES",
    "any_portfolio_account",
    "market",
    "parameters",
    "portfolio_reference",
    "price_book_at",
    "raw_portfolio",
]

NOW = 1_736_936_400_000
"""15 January 2025, 10:20 UTC."""
DAY = 86_400_000
EXPIRIES = {"250131": NOW + 16 * DAY, "250328": NOW + 72 * DAY, "251226": NOW + 345 * DAY}
STRIKES = {"BTC": (80_000, 90_000, 100_000, 120_000), "ETH": (2_800, 3_300, 4_000)}
INDEX = {"BTC": "97034.2", "ETH": "3301.7", "USDT": "0.9995", "USDC": "0.9999"}
_TIERS = [
    {"up_to": "1000", "initial": "0.01", "maintenance": "0.005"},
    {"up_to": "100000", "initial": "0.02", "maintenance": "0.01"},
]


def parameters(**changed: Any) -> dict[str, Any]:
    """A full set of a unit's parameters; `changed` replaces, None leaves out."""
    unit: dict[str, Any] = {
        "spot_shocks": ["0.04", "0.08", "0.12"],
        "extreme_shock": "0.24",
        "basis_perpetual": "0.002",
        "basis_yearly": "0.05",
        "minimum_charge": "0.0045",
        "minimum_scale": [{"up_to": "2000", "factor": "1"}, {"up_to": "5000", "factor": "2"}],
        "option_minimum": "0.0005",
        "volatility_shocks": [
            {"days": "7", "up": "0.6", "down": "0.4"},
            {"days": "30", "up": "0.4", "down": "0.3"},
            {"days": "365", "up": "0.2", "down": "0.15"},
        ],
        "days": "1",
        "tenors": [
            {"days": "30", "shock": "0.1", "offsets": []},
            {"days": "90", "shock": "0.06", "offsets": ["0.7"]},
            {"days": "365", "shock": "0.03", "offsets": ["0.4", "0.8"]},
        ],
        "rate_shocks": [{"days": "90", "shock": "0.01"}, {"days": "365", "shock": "0.02"}],
        "stablecoin_table": [
            {
                "index": "0.995",
                "tiers": [
                    {"up_to": "1000000", "rate": "0.005"},
                    {"up_to": "5000000", "rate": "0.01"},
                ],
            },
            {"index": "0", "tiers": [{"up_to": "1000000", "rate": "0.4"}]},
        ],
    }
    unit.update(changed)
    return {name: value for name, value in unit.items() if value is not None}


def _derivative(kind: str, coin: str, quote: str, **fields: Any) -> dict[str, Any]:
    inverse = quote == "USD"
    return {
        "kind": kind,
        "family": f"{coin}-{quote}",
        "underlying": coin,
        "quote": quote,
        "settle": coin if inverse else quote,
        "inverse": inverse,
        "contract_value": "100" if inverse else "0.01",
        "lot": "1",
        "tick": "0.1",
        "position_tiers": _TIERS,
        **fields,
    }


def _instruments() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for coin in ("BTC", "ETH"):
        for quote in ("USDT", "USDC"):
            found[f"{coin}-{quote}"] = {
                "kind": "spot",
                "family": f"{coin}-{quote}",
                "underlying": coin,
                "quote": quote,
                "lot": "0.0001",
                "tick": "0.1",
            }
            found[f"{coin}-{quote}-SWAP"] = _derivative("swap", coin, quote)
        found[f"{coin}-USD-SWAP"] = _derivative("swap", coin, "USD")
        found[f"{coin}-USDT-250328"] = _derivative(
            "future", coin, "USDT", expiry=EXPIRIES["250328"]
        )
        found[f"{coin}-USD-251226"] = _derivative("future", coin, "USD", expiry=EXPIRIES["251226"])
        for day, expiry in EXPIRIES.items():
            for strike in STRIKES[coin]:
                for label, kind in (("C", "call"), ("P", "put")):
                    found[f"{coin}-USD-{day}-{strike}-{label}"] = _derivative(
                        "option",
                        coin,
                        "USD",
                        inverse=False,
                        contract_value="1",
                        multiplier="0.01",
                        tick="0.0001",
                        expiry=expiry,
                        strike=str(strike),
                        option_type=kind,
                    )
        strike = STRIKES[coin][2]
        found[f"{coin}-USDC-250131-{strike}-C"] = _derivative(
            "option",
            coin,
            "USDC",
            contract_value="0.1",
            expiry=EXPIRIES["250131"],
            strike=str(strike),
            option_type="call",
        )
    return found


def portfolio_reference(
    policy: dict[str, Any] | None = None, sets: list[dict[str, Any]] | None = None
) -> Reference:
    """The set; `sets` replaces the dated parameters."""
    return load_reference(raw_portfolio(policy, sets))


def raw_portfolio(
    policy: dict[str, Any] | None = None, sets: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The same as a reference file."""
    tiers = [
        {"up_to": "100", "initial": "0.1", "maintenance": "0.02"},
        {"up_to": "100000000", "initial": "0.2", "maintenance": "0.05"},
    ]
    currencies: dict[str, Any] = {
        coin: {
            "discount_tiers": [{"up_to": "20", "rate": "0.98"}, {"up_to": "50", "rate": "0.95"}],
            "borrow_tiers": tiers,
        }
        for coin in ("BTC", "ETH")
    }
    for coin in ("USDT", "USDC"):
        currencies[coin] = {"minimum_rate": "1", "borrow_tiers": tiers}
    if sets is None:
        sets = [{"valid_from": "2025-01-06", "units": {"default": parameters()}}]
    return {
        "currencies": currencies,
        "instruments": _instruments(),
        "policy": policy or {},
        "portfolio": sets,
    }


def market(
    reference: Reference, moves: dict[str, str] | None = None, volatility: float = 0.6
) -> dict[str, str]:
    """Prices of everything (symbol → price), underlyings moved by factors; marks by the model."""
    indices = dict(INDEX)
    for coin, factor in (moves or {}).items():
        indices[coin] = str(Decimal(indices[coin]) * Decimal(factor))
    prices = {f"{coin}-USD": price for coin, price in indices.items()}
    for name, instrument in reference.instruments.items():
        index = Decimal(indices[instrument.underlying])
        if instrument.kind == "spot":
            continue
        days = 0 if instrument.expiry is None else (instrument.expiry - NOW) / DAY
        outright = float(index) * (1 + 0.0001 * days)
        if instrument.option_type is None or instrument.strike is None:
            quote = 1.0 if instrument.inverse else float(indices[instrument.quote])
            prices[name] = f"{outright / quote:.4f}"
            continue
        worth = value(
            instrument.option_type, outright, float(instrument.strike), days / 365, volatility
        )
        in_coin = instrument.settle == instrument.underlying
        prices[name] = f"{max(worth / outright if in_coin else worth, 0.0001):.10f}"
    return prices


def price_book_at(
    prices: dict[str, str], reference: Reference, ts: int = NOW, seq: int = 0
) -> PriceBook:
    """A book of the prices, all of one time."""
    book = PriceBook()
    for symbol, price in prices.items():
        kind = "mark" if symbol in reference.instruments else "index"
        tick = Tick.model_validate(
            {"symbol": symbol, "kind": kind, "price": price, "ts": ts, "seq": seq}
        )
        book.take(tick, 0, Policy(), ts)
    return book


def any_portfolio_account(rng: Random, reference: Reference, *, orders: bool = True) -> Account:
    """An account with some positions, balances, orders and caps, all drawn by `rng`."""
    held = Account("P1", known=True, mode="portfolio", auto_borrow=rng.random() < 0.9)
    for coin, most in (("USDT", 30_000), ("USDC", 20_000), ("BTC", 1), ("ETH", 10)):
        if rng.random() < 0.7:
            amount = Decimal(rng.randint(-300, 1000)) * most / 1000
            held.balances[coin] = Balance(amount)
    names = sorted(n for n, i in reference.instruments.items() if i.kind != "spot")
    for name in rng.sample(names, rng.randint(1, 8)):
        quantity = Decimal(rng.choice((-1, 1)) * rng.randint(1, 40))
        entry = "0.05" if reference.instruments[name].kind == "option" else "90000"
        held.positions[position_key(name, "net")] = Position(name, "net", quantity, Decimal(entry))
    for coin in ("BTC", "ETH"):
        if rng.random() < 0.3:
            held.spot_hedge[coin] = Decimal(rng.randint(0, 20)) / 10
    if orders:
        _add_orders(rng, held, reference)
    return held


def _add_orders(rng: Random, held: Account, reference: Reference) -> None:
    for number in range(rng.randint(0, 3)):
        name = rng.choice(sorted(reference.instruments))
        instrument = reference.instruments[name]
        price = {"spot": "3000", "option": "0.05"}.get(instrument.kind, "50000")
        quantity = "0.1" if instrument.kind == "spot" else str(rng.randint(1, 10))
        order = OpenOrder(
            f"O{number}",
            1,
            name,
            rng.choice(("buy", "sell")),
            "net",
            "cross",
            Decimal(price),
            Decimal(quantity),
            Decimal(0),
            rng.random() < 0.1,
            True,
            None,
            number,
            None,
        )
        held.orders[order.order_id] = order
